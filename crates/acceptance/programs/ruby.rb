# Strings, hashes, garbage under stress, big numbers, threads, fibers, serialisers, forked children.
require 'digest'
require 'json'
require 'set'
require 'stringio'
require 'zlib'

def show(name, value) = puts("#{name}: #{value}")
def sum(value) = Digest::SHA256.hexdigest(value.to_s)

words = Hash.new { |hash, key| hash[key] = +'' }
state = 12_345
200_000.times do
  state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
  words["key#{state % 5003}"] << (97 + state % 26).chr
end
show 'hash', sum(words.sort.inspect)
words.delete_if { |_, text| text.size > 40 }
show 'left', words.size

text = (1..20_000).map { |n| "word#{n} #{'x' * (n % 50)}" }.join(' ')
show 'scan', text.scan(/\bword(\d*7)\s+(x{13,})\b/).size
show 'gsub', sum(text.gsub(/(\w+?)(\d+)/) { "#{$2}#{$1.upcase}" })
show 'big', sum(3**20_000 * 7**10_000 / 11**500)
show 'symbols', (1..20_000).map { |n| "symbol_#{n}".to_sym }.uniq.size

Node = Struct.new(:left, :right, :payload)
build = ->(depth) { depth.zero? ? nil : Node.new(build[depth - 1], build[depth - 1], "n#{depth}" * 5) }
count = ->(node) { node ? 1 + count[node.left] + count[node.right] : 0 }
show 'trees', (1..10).sum { count[build[13]] }
GC.stress = true
stressed = (1..200).map { |n| { n.to_s => [n, n.to_f, "s#{n}"] } }
GC.stress = false
show 'stress', sum(stressed.inspect)
GC.start
GC.compact
show 'marshal', sum(Marshal.load(Marshal.dump(stressed)).inspect)
show 'json', sum(JSON.generate(JSON.parse(JSON.generate(stressed))))
show 'zlib', Zlib::Inflate.inflate(Zlib::Deflate.deflate(text, 9)) == text
show 'set', Set.new((1..50_000).map { |n| n * n % 9973 }).size

threads = (1..8).map { |n| Thread.new { (1..3000).map { |i| "t#{n * i}" * 3 }.sort.join } }
threads.each { |thread| show 'thread', sum(thread.value) }
fibers = (1..500).map { |n| Fiber.new { 3.times { |i| Fiber.yield "f#{n}#{i}" } } }
show 'fibers', sum((1..3).map { fibers.map(&:resume) }.inspect)
queue = Queue.new
producer = Thread.new { 20_000.times { |n| queue << "item#{n}" }; queue << nil }
taken = 0
taken += 1 while queue.pop
producer.join
show 'queue', taken
(1..4).each do |n|
  pid = fork { exit!(n + Array.new(20_000) { |i| "c#{i}" }.size % 7) }
  Process.wait(pid)
  show 'child', $?.exitstatus
end
begin
  (deep = ->(n) { deep[n + 1] })[0]
rescue SystemStackError => error
  show 'deep', error.class
end
exit 9
