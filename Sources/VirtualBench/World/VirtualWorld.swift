import Glibc
import Synchronization

/// How a virtual bench's time passes.
package enum ClockMode: String, Codable, Sendable {
    /// With CLOCK_MONOTONIC: what happens takes as long as on a real bench.
    case real
    /// Time jumps to the next event whenever somebody waits: deterministic, and as fast as the machine allows.
    case virtual
}

/// The shared virtual bench: one lock around the state, one clock. All threads go through here.
package final class VirtualWorld: Sendable {
    package let mode: ClockMode
    private let state: Mutex<WorldState>
    /// Written to whenever something happened that a sleeper may want to know.
    private let wakers = Mutex<[WakePipe]>([])

    init(mode: ClockMode, state: WorldState) {
        self.mode = mode
        self.state = Mutex(state)
    }

    /// CLOCK_MONOTONIC, ns.
    static func monotonicNanoseconds() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }

    /// The bench's host clock, ns.
    package var nowNanoseconds: Int64 {
        mode == .real ? Self.monotonicNanoseconds() : state.withLock { $0.now }
    }

    /// Runs `body` on the state brought up to the present.
    func present<R: Sendable>(_ body: (inout WorldState) -> R) -> R {
        state.withLock { state in
            if mode == .real { state.advance(to: Self.monotonicNanoseconds()) }
            return body(&state)
        }
    }

    /// As `present`, for bodies that can fail.
    func presently<R: Sendable, E: Error>(_ body: (inout WorldState) throws(E) -> R) throws(E) -> R {
        let result: Result<R, E> = present { state in
            do throws(E) { return .success(try body(&state)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// Virtual time only: lets the bench run until `time`, or until a transfer is over. Real time: does nothing.
    package func run(until time: Int64, stoppingAtCompletion: Bool = false) {
        guard mode == .virtual else { return }
        state.withLock { $0.advance(to: time, stoppingAtCompletion: stoppingAtCompletion) }
        notify()
    }

    /// Virtual time only: lets the bench run for so long.
    package func run(forSeconds seconds: Double) { run(until: nowNanoseconds + nanoseconds(seconds)) }

    func addWaker(_ pipe: WakePipe) { wakers.withLock { $0.append(pipe) } }

    /// Wakes everybody who sleeps on the bench.
    func notify() { wakers.withLock { for pipe in $0 { pipe.wake() } } }
}

/// A pipe that ends a `poll` early; `wake` may come from any thread and any number of times.
final class WakePipe: Sendable {
    let readEnd: Int32
    private let writeEnd: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        if pipe(&ends) != 0 { ends = [-1, -1] }
        for end in ends where end >= 0 {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        if readEnd >= 0 { close(readEnd) }
        if writeEnd >= 0 { close(writeEnd) }
    }

    func wake() {
        var byte: UInt8 = 1
        // A full pipe is a wake-up that is already on its way.
        _ = write(writeEnd, &byte, 1)
    }

    /// Empties the pipe. Returns whether a wake-up had come.
    func drain() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 64)
        var seen = false
        while read(readEnd, &buffer, buffer.count) > 0 { seen = true }
        return seen
    }

    /// Sleeps up to so many ns. Returns true if woken.
    func sleep(nanoseconds: Int64) -> Bool {
        var set = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
        let wait = max(0, nanoseconds)
        if poll(&set, 1, Int32(clamping: wait / 1_000_000)) > 0 { return drain() }
        // The rest below a millisecond, which poll cannot count.
        var rest = timespec(tv_sec: 0, tv_nsec: Int(wait % 1_000_000))
        nanosleep(&rest, nil)
        return false
    }
}
