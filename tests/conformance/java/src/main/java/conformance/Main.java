package conformance;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Runs the conformance cases of the Java client against a broker: {@code Main BOOTSTRAP [TEXT IN THE NAME] [THREADS]}.
 * Prints a line for each case, {@code ok NAME SECONDS} or {@code FAILED NAME SECONDS WHY}; without an address it lists the names.
 */
public final class Main {
    private static final int DEADLINE_S = 150;

    private Main() {}

    /** What a case does with the clients and names that are its own. */
    interface Case {
        void run(Kit kit) throws Exception;
    }

    /** The cases by name, in order. */
    static final class Cases {
        final Map<String, Case> all = new LinkedHashMap<>();

        void add(String name, Case body) {
            if (all.put("java/" + name, body) != null) throw new IllegalStateException("two cases are called " + name);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Cases cases = new Cases();
        TransactionCases.register(cases);
        FencingCases.register(cases);
        GroupCases.register(cases);
        ProduceCases.register(cases);
        AdminCases.register(cases);
        RawProduceCases.register(cases);
        RawFetchCases.register(cases);
        RawGroupCases.register(cases);
        RawTransactionCases.register(cases);
        RawVersionCases.register(cases);
        if (arguments.length == 0) {
            cases.all.keySet().forEach(System.out::println);
            return;
        }
        String only = arguments.length > 1 ? arguments[1] : "";
        ExecutorService pool = Executors.newFixedThreadPool(arguments.length > 2 ? Integer.parseInt(arguments[2]) : 8);
        List<String> names = new ArrayList<>(cases.all.keySet().stream().filter(name -> name.contains(only)).toList());
        List<Callable<Boolean>> runs = new ArrayList<>();
        for (String name : names) runs.add(() -> run(name, cases.all.get(name), arguments[0]));
        boolean good = true;
        int index = 0;
        for (Future<Boolean> result : pool.invokeAll(runs, DEADLINE_S, TimeUnit.SECONDS)) {
            if (result.isCancelled()) System.out.println("FAILED " + names.get(index) + " " + DEADLINE_S + " not done by the deadline");
            good &= !result.isCancelled() && result.get();
            index++;
        }
        System.out.flush();
        // A client of a case that hangs would keep the process.
        Runtime.getRuntime().halt(good ? 0 : 1);
    }

    private static boolean run(String name, Case body, String bootstrap) {
        long began = System.nanoTime();
        Throwable failure = null;
        try (Kit kit = new Kit(bootstrap, name)) {
            body.run(kit);
        } catch (Throwable error) {
            failure = error;
        }
        String took = String.format("%.1f", (System.nanoTime() - began) / 1e9);
        String line = failure == null ? "ok " + name + " " + took : "FAILED " + name + " " + took + " " + why(failure);
        System.out.println(line.replace('\n', ' '));
        return failure == null;
    }

    private static String why(Throwable failure) {
        StringBuilder text = new StringBuilder(failure.toString());
        if (failure.getCause() != null) text.append(" caused by ").append(failure.getCause());
        for (StackTraceElement frame : failure.getStackTrace()) {
            if (frame.getClassName().startsWith("conformance")) text.append(" < ").append(frame.getFileName()).append(':').append(frame.getLineNumber());
        }
        return text.toString();
    }
}
