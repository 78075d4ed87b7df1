# Objects, strings, symbols and hashes in Ruby: a small library keeps books, lends them and prints its catalogue.
Book = Struct.new(:title, :author, :year, :words)

class Reader
  attr_reader :name, :shelf

  def initialize(name)
    @name = name
    @shelf = []
  end
end

class Dice
  def initialize(seed) = @state = seed

  def roll(sides)
    @state = (@state * 69_069 + 5) & 0xFFFFFFFF
    (@state >> 8) % sides
  end
end

dice = Dice.new(43)
syllables = %w[ka lo mi ne po ru sa te vu wy ze bra cho dri]
word = -> { Array.new(1 + dice.roll(4)) { syllables[dice.roll(syllables.size)] }.join }
books = Array.new(6000) do
  title = Array.new(3) { word.call.capitalize }.join(' ')
  Book.new(title, word.call, 1800 + dice.roll(220), Array.new(40) { word.call })
end
readers = Array.new(500) { |i| Reader.new("reader #{i}") }
lines = []
sum = 0
4.times do |round|
  books.each_with_index { |book, i| readers[(i * 7 + round) % readers.size].shelf << book }
  by_year = books.group_by(&:year).transform_values { |each| each.map(&:title).sort }
  frequent = books.flat_map { |book| book.words.map { |each| each.sub(/[aeiou]\z/, '') } }.tally
  lines = by_year.sort.map { |year, titles| format('%d: %s', year, titles.join('; ').gsub(/\s+/, '_')) }
  index = Hash.new { |hash, key| hash[key] = [] }
  books.each { |book| index[book.author[0, 3].to_sym] << { title: book.title.downcase, year: book.year.to_s } }
  sum += lines.sum(&:size) + frequent.values.max + index.values.sum(&:size)
  readers.each { |reader| reader.shelf.shift(reader.shelf.size / 2) }
  text = lines.join("\n")
  sum += text.scan(/[A-Z]\w+_[A-Z]\w+/).map(&:swapcase).uniq.size
  20.times { |i| books[(round * 997 + i) % books.size].words = Array.new(40) { word.call } }
end
puts "#{lines.size} #{readers.sum { |reader| reader.shelf.size }} #{sum}"
