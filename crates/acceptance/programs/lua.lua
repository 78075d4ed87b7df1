-- Tables, strings, closures, coroutines, collection in all modes, errors.
local function checksum(text)
    local sum = 5381
    for i = 1, #text do
        sum = (sum * 33 + text:byte(i)) & 0xffffffffffff
    end
    return sum
end

local words, state = {}, 12345
for _ = 1, 300000 do
    state = (state * 1103515245 + 12345) % 2147483648
    local key = 'key' .. state % 5003
    words[key] = (words[key] or '') .. string.char(97 + state % 26)
end
local keys = {}
for key in pairs(words) do keys[#keys + 1] = key end
table.sort(keys)
local parts = {}
for i, key in ipairs(keys) do parts[i] = key .. '=' .. words[key] end
print('table', #keys, checksum(table.concat(parts, ',')))

for _, mode in ipairs { 'incremental', 'generational' } do
    collectgarbage(mode)
    local function tree(depth)
        return depth == 0 and {} or { tree(depth - 1), tree(depth - 1), name = 'n' .. depth }
    end
    local function count(node)
        return node[1] and 1 + count(node[1]) + count(node[2]) or 1
    end
    local total = 0
    for _ = 1, 10 do total = total + count(tree(13)) end
    collectgarbage()
    print(mode, total)
end

local text = ('word12 xxxxxx '):rep(20000)
print('gsub', checksum((text:gsub('(%a+)(%d*)', '%2%1'))))
print('format', checksum(('%5.2f|%q|%x'):format(3.14159, text:sub(1, 100), 255)))
local fibers = {}
for i = 1, 5000 do
    fibers[i] = coroutine.wrap(function() for k = 1, 3 do coroutine.yield(i * k) end end)
end
local total = 0
for _ = 1, 3 do for i = 1, #fibers do total = total + fibers[i]() end end
print('coroutines', total)
local weak = setmetatable({}, { __mode = 'k' })
for i = 1, 10000 do weak[{}] = i end
collectgarbage()
print('weak', next(weak) == nil)
print('pcall', pcall(error, { code = 7 }) == false, select(2, pcall(function() return nil + 1 end)) ~= nil)
print('too long', (pcall(string.rep, 'x', 1 << 60)))
local chunks = {}
for i = 1, 3000 do chunks[i] = load('return ' .. i .. ' * 2')() end
print('load', chunks[3000])
os.exit(9, true)
