# A small simulated town: objects of several classes, dicts, sets and tuples of many lifetimes. Every block of
# Python comes from malloc here, because the manifest sets PYTHONMALLOC=malloc.
import heapq
import random

ROUNDS = 20
PLACES = 6000


class Place:
    def __init__(self, name, x, y):
        self.name = name
        self.x = x
        self.y = y
        self.roads = {}
        self.visitors = []


class Parcel:
    __slots__ = ("sender", "receiver", "weight", "route")

    def __init__(self, sender, receiver, weight):
        self.sender = sender
        self.receiver = receiver
        self.weight = weight
        self.route = None


def build(dice):
    places = [Place(f"place {i}", dice.random(), dice.random()) for i in range(PLACES)]
    for i, place in enumerate(places):
        for step in (1, 7, 61, 997):
            other = places[(i + step) % PLACES]
            length = abs(place.x - other.x) + abs(place.y - other.y)
            place.roads[other.name] = length
            other.roads[place.name] = length
    return {place.name: place for place in places}


def route(town, start, end):
    """The shortest way between two names, as a tuple of names."""
    came_from = {start: None}
    settled = set()
    queue = [(0.0, start, None)]
    while queue:
        length, name, before = heapq.heappop(queue)
        if name in settled:
            continue
        settled.add(name)
        came_from[name] = before
        if name == end:
            break
        for neighbour, road in town[name].roads.items():
            if neighbour not in settled:
                heapq.heappush(queue, (length + road, neighbour, name))
    way = []
    while end is not None:
        way.append(end)
        end = came_from[end]
    return tuple(reversed(way))


dice = random.Random(11)
town = build(dice)
delivered = []
for round_ in range(ROUNDS):
    names = list(town)
    ends = [(names[int(dice.random() * PLACES)], names[int(dice.random() * PLACES)]) for _ in range(12000)]
    parcels = [Parcel(sender, receiver, weight) for weight, (sender, receiver) in enumerate(ends)]
    by_receiver = {}
    for parcel in parcels:
        by_receiver.setdefault(parcel.receiver, []).append(parcel)
    for parcel in parcels[:5]:
        parcel.route = route(town, parcel.sender, parcel.receiver)
        for name in parcel.route:
            town[name].visitors.append((round_, parcel.weight))
    heaviest = {name: max(waiting, key=lambda parcel: parcel.weight) for name, waiting in by_receiver.items()}
    delivered.append({name: (parcel.sender, parcel.weight) for name, parcel in heaviest.items()})
    if round_ % 4 == 3:
        delivered = delivered[2:]

visits = sum(len(place.visitors) for place in town.values())
print(visits, len(delivered), sum(weight for day in delivered for _, weight in day.values()))
