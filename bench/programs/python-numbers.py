# Numbers: loops that are mostly bytecode over small integers and floats, then big integers, fractions and
# decimals. Each intermediate number is an object of its own, most of them a few bytes long and dead at once.
import decimal
import fractions


def orbits(limit):
    """The longest Collatz sequence below a limit."""
    best = (0, 0)
    for start in range(1, limit):
        number, steps = start, 0
        while number != 1:
            number = number * 3 + 1 if number & 1 else number >> 1
            steps += 1
        best = max(best, (steps, start))
    return best


def bernoulli(count):
    """The Akiyama-Tanigawa triangle."""
    numbers = []
    row = []
    for m in range(count):
        row.append(fractions.Fraction(1, m + 1))
        for j in range(m, 0, -1):
            row[j - 1] = j * (row[j - 1] - row[j])
        numbers.append(row[0])
    return numbers


def pi_digits(count):
    """Digits of pi one by one from a series of linear fractional transformations."""
    q, r, t, k, m, x = 1, 0, 1, 1, 3, 3
    while count:
        if 4 * q + r - t < m * t:
            yield m
            count -= 1
            q, r, m = 10 * q, 10 * (r - m * t), (10 * (3 * q + r)) // t - 10 * m
        else:
            q, r, t, k, m, x = q * k, (2 * q + r) * x, t * x, k + 1, (q * (7 * k + 2) + r * x) // (t * x), x + 2


def bodies(steps):
    """Points that pull at each other, with floats in tuples."""
    points = [((i * 37 % 11) - 5.0, (i * 53 % 13) - 6.0, 0.0, 0.0) for i in range(8)]
    for _ in range(steps):
        moved = []
        for x, y, vx, vy in points:
            ax = sum((ox - x) / ((ox - x) ** 2 + (oy - y) ** 2 + 1.0) for ox, oy, _, _ in points)
            ay = sum((oy - y) / ((ox - x) ** 2 + (oy - y) ** 2 + 1.0) for ox, oy, _, _ in points)
            vx, vy = vx + ax / 64, vy + ay / 64
            moved.append((x + vx / 64, y + vy / 64, vx, vy))
        points = moved
    return max(point[0] for point in points)


def root(digits):
    """The square root of two by Newton's method."""
    decimal.getcontext().prec = digits
    guess = decimal.Decimal(1)
    for _ in range(digits.bit_length() + 4):
        guess = (guess + 2 / guess) / 2
    return guess


print(orbits(60000))
print(hash(bernoulli(330)[328]))
print("".join(map(str, pi_digits(3000)))[-20:])
print(f"{bodies(4000):.6f}")
print(str(root(5000))[-20:])
power = 3**60000
print(sum(power >> shift & 0xFFFF for shift in range(0, 60000, 97)))
