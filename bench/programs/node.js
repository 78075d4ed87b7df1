// Buffers, strings, maps and compression in Node.js. V8 keeps its own heap; what malloc sees are the buffers, the
// tables of the engine, its compilers and zlib.
'use strict';
const crypto = require('crypto');
const zlib = require('zlib');

const ROUNDS = 10;
let state = 53;

function dice(sides) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % sides;
}

const hash = crypto.createHash('sha256');
const kept = [];
let total = 0;
for (let round = 0; round < ROUNDS; round++) {
    // Buffers of all sizes: some die at once, some stay for three rounds.
    const buffers = [];
    for (let i = 0; i < 20000; i++) {
        const buffer = Buffer.alloc(4096 + dice(i % 50 === 0 ? 200000 : 6000), i & 255);
        buffer.writeUInt32LE(i, 0);
        if (i % 40 === 0) {
            buffers.push(buffer);
        }
        total = (total + buffer.readUInt32LE(0)) % 1000003;
    }
    const joined = Buffer.concat(buffers.slice(0, 100));
    hash.update(joined);

    // Records through maps, JSON and strings.
    const records = new Map();
    for (let i = 0; i < 40000; i++) {
        const name = `record ${dice(9000)}`;
        const record = records.get(name) ?? { name, visits: 0, words: [] };
        record.visits++;
        record.words.push(`word${dice(500)}`);
        records.set(name, record);
    }
    const text = JSON.stringify([...records.values()].sort((a, b) => (a.name < b.name ? -1 : 1)));
    const copy = JSON.parse(text);
    total = (total + copy.reduce((sum, record) => sum + record.visits * record.words.length, 0)) % 1000003;

    // Many small compressions, each with tables of its own.
    for (let i = 0; i < 150; i++) {
        const part = Buffer.from(text.slice(i * 2000, i * 2000 + 6000));
        const packed = zlib.deflateSync(part, { level: 1 });
        if (!zlib.inflateSync(packed).equals(part)) {
            throw new Error('a compression changed its input');
        }
    }

    // Functions that are compiled while the program runs.
    for (let i = 0; i < 400; i++) {
        const body = `let s = 0; for (let i = 0; i < 50; i++) { s += (x ^ ${i + round * 400}) + i; } return s;`;
        const add = new Function('x', body);
        total = (total + add(i)) % 1000003;
    }
    const typed = new Float64Array(200000).map((_, i) => i % 1000);
    total = (total + typed.reduce((sum, x) => sum + x, 0)) % 1000003;
    kept.push([buffers, copy]);
    if (kept.length > 3) {
        kept.shift();
    }
}
console.log(total, kept.length, hash.digest('hex'));
