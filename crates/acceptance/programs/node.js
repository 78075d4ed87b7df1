// Buffers, strings, garbage, compression, hashing, workers with shared memory, children.
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { createHash } = require('crypto');
const { spawnSync } = require('child_process');
const fs = require('fs');
const zlib = require('zlib');
const { promisify } = require('util');

const sum = (value) => createHash('sha256').update(value).digest('hex');

function work(seed) {
    let state = seed;
    const words = new Map();
    for (let i = 0; i < 100000; i++) {
        state = (Math.imul(state, 1103515245) + 12345) >>> 1;
        const key = 'key' + (state % 5003);
        words.set(key, (words.get(key) || '') + String.fromCharCode(97 + (state % 26)));
    }
    return sum(JSON.stringify([...words].sort()));
}

async function main() {
    console.log('words:', work(12345));
    const buffers = [];
    for (let i = 0; i < 20000; i++) {
        buffers.push(Buffer.alloc((i * 7919) % 9000, i % 256));
        if (i % 3 === 0) buffers.shift();
    }
    console.log('buffers:', buffers.length, sum(Buffer.concat(buffers)));
    const text = Array.from({ length: 30000 }, (_, n) => 'word' + n + ' ' + 'x'.repeat(n % 50)).join(' ');
    console.log('regex:', sum(text.replace(/(\w+?)(\d+)/g, (_, a, b) => b + a.toUpperCase())));
    for (const name of ['deflate', 'gzip', 'brotliCompress']) {
        const packed = await promisify(zlib[name])(text);
        console.log(name + ':', packed.length, sum(packed));
    }
    const packed = await Promise.all(Array.from({ length: 20 }, (_, n) => promisify(zlib.deflate)(text.slice(n * 1000))));
    console.log('parallel:', sum(Buffer.concat(packed)));
    fs.writeFileSync('file', text);
    const chunks = [];
    for await (const chunk of fs.createReadStream('file').pipe(zlib.createGzip()).pipe(zlib.createGunzip())) chunks.push(chunk);
    console.log('stream:', sum(Buffer.concat(chunks)) === sum(text));
    const workers = [1, 2, 3, 4].map((seed) => new Promise((resolve, reject) => {
        new Worker(__filename, { workerData: seed }).on('message', resolve).on('error', reject);
    }));
    for (const result of await Promise.all(workers)) console.log('worker:', result);
    console.log('big:', sum((3n ** 20000n * 7n ** 10000n).toString()));
    const child = spawnSync('sh', ['-c', 'cat; exit 5'], { input: text.slice(0, 500000) });
    console.log('child:', child.status, child.stdout.length);
    process.exitCode = 9;
}

if (isMainThread) main(); else parentPort.postMessage(work(workerData));
