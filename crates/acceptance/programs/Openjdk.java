// Objects, strings, threads, direct buffers, compression through zlib, child processes.
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;

public class Openjdk {
    static String sum(byte[] bytes) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    static String work(int seed) throws Exception {
        Map<String, StringBuilder> words = new TreeMap<>();
        int state = seed;
        for (int i = 0; i < 100_000; i++) {
            state = (state * 1103515245 + 12345) & 0x7fffffff;
            words.computeIfAbsent("key" + state % 5003, key -> new StringBuilder()).append((char) (97 + state % 26));
        }
        return sum(words.toString().getBytes());
    }

    static byte[] pack(byte[] bytes, int level) throws Exception {
        Deflater deflater = new Deflater(level);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (DeflaterOutputStream packing = new DeflaterOutputStream(out, deflater)) {
            packing.write(bytes);
        }
        deflater.end();
        return out.toByteArray();
    }

    public static void main(String[] args) throws Exception {
        var pool = Executors.newFixedThreadPool(8);
        List<Future<String>> results = new ArrayList<>();
        for (int i = 1; i <= 12; i++) {
            int seed = i;
            results.add(pool.submit(() -> work(seed)));
        }
        for (var result : results) System.out.println("work: " + result.get());
        pool.shutdown();
        byte[] text = IntStream.range(0, 40_000).mapToObj(n -> "word" + n * 7 % 977 + " ").reduce(new StringBuilder(),
            StringBuilder::append, StringBuilder::append).toString().getBytes();
        for (int level = 1; level <= 9; level += 4) System.out.println("packed: " + sum(pack(text, level)));
        long total = 0;
        for (int i = 0; i < 3000; i++) {
            ByteBuffer direct = ByteBuffer.allocateDirect(1 + i * 7919 % 40_000);
            direct.put(direct.capacity() - 1, (byte) i);
            total += direct.get(direct.capacity() - 1) + direct.get(0);
        }
        System.out.println("direct: " + total);
        var threads = IntStream.range(0, 300).mapToObj(n -> new Thread(() -> new byte[1000 * n].clone())).toList();
        threads.forEach(Thread::start);
        for (Thread thread : threads) thread.join();
        System.gc();
        Process child = new ProcessBuilder("sh", "-c", "exit 5").start();
        System.out.println("child: " + child.waitFor());
        System.exit(9);
    }
}
