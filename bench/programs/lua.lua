-- Tables, closures, strings and coroutines in Lua: trees, a memoising parser, queues and string buffers.
local rounds = 11
local state = 47

local function dice(sides)
    state = (state * 69069 + 5) % 4294967296
    return (state // 256) % sides
end

local function insert(tree, key)
    if not tree then
        return { key = key, count = 1 }
    end
    if key < tree.key then
        tree.left = insert(tree.left, key)
    elseif key > tree.key then
        tree.right = insert(tree.right, key)
    else
        tree.count = tree.count + 1
    end
    return tree
end

local function walk(tree)
    if tree then
        walk(tree.left)
        coroutine.yield(tree.key, tree.count)
        walk(tree.right)
    end
end

-- Sums, products and brackets over small numbers, compiled to closures.
local function compile(text)
    local at = 1
    local sum
    local function atom()
        if text:sub(at, at) == "(" then
            at = at + 1
            local inner = sum()
            at = at + 1
            return inner
        end
        local digits = text:match("^%d+", at)
        at = at + #digits
        local value = tonumber(digits)
        return function(x) return value + x end
    end
    local function chain(next_, sign, combine)
        return function()
            local left = next_()
            while text:sub(at, at) == sign do
                at = at + 1
                local first, second = left, next_()
                left = function(x) return combine(first(x), second(x)) end
            end
            return left
        end
    end
    local product = chain(atom, "*", function(a, b) return a * b % 1000003 end)
    sum = chain(product, "+", function(a, b) return (a + b) % 1000003 end)
    return sum()
end

local function expression(depth)
    if depth == 0 then
        return tostring(dice(1000))
    end
    local parts = {}
    for i = 1, 2 + dice(2) do
        parts[i] = expression(depth - 1)
    end
    return "(" .. table.concat(parts, depth % 2 == 0 and "+" or "*") .. ")"
end

local total, kept = 0, {}
for round = 1, rounds do
    local tree
    for _ = 1, 24000 do
        tree = insert(tree, string.format("key-%05d", dice(20000)))
    end
    local lines = {}
    for key, count in coroutine.wrap(function() walk(tree) end) do
        lines[#lines + 1] = key:upper():gsub("%d", "%0" .. count)
    end
    local text = table.concat(lines, ",")
    for number in text:gmatch("KEY%-(%d+)") do
        total = (total + tonumber(number)) % 1000003
    end
    for i = 1, 60 do
        total = (total + compile(expression(5))(i)) % 1000003
    end
    local queue, head = {}, 1
    for i = 1, 60000 do
        queue[#queue + 1] = { i, name = "job " .. i % 977 }
        if i % 3 == 0 then
            total = (total + #queue[head].name) % 1000003
            queue[head] = nil
            head = head + 1
        end
    end
    kept[round % 3] = { tree = tree, text = text, queue = queue }
end
print(total, #kept[0].text, #kept[1].text, #kept[2].text)
