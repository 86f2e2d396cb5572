import CLibUSB
import Foundation
package import MeterProtocol
import Synchronization

/// Records a set of meters: owns one thread that runs the bus and all sessions, and hands what it gets to one consumer.
///
/// A hub records once: start, consume `events` until they end, stop. Nothing on the recording path waits for the
/// consumer; see `AcquisitionQueue` for what happens when it is too slow.
package final class MeterHub: Sendable {
    private enum Command: Sendable {
        case start(MeterSelection, CheckedContinuation<Result<[StartedMeter], DriverFailure>, Never>)
        case stop
        case rescan
    }

    /// The bus as other threads may hold it.
    /// Sendable because `wake` is the only method called off the bus thread, and `MeterBus` allows that one anywhere.
    private struct Waker: @unchecked Sendable {
        let bus: any MeterBus
        func wake() { bus.wake() }
    }

    private struct State {
        var commands: [Command] = []
        var waker: Waker?
        var counters: [MeterCounters] = []
        var totals: HubTotals?
        var failure: DriverFailure?
        var isStarted = false
        var isStopping = false
        var waiters: [CheckedContinuation<HubTotals, Never>] = []
    }

    private let state = Mutex(State())
    private let settings: HubSettings
    private let makeBus: @Sendable () throws(DriverFailure) -> any MeterBus
    private let queue: AcquisitionQueue

    /// - Parameter makeBus: called on the bus thread; everything of the bus but `wake` stays there.
    package init(
        settings: HubSettings = HubSettings(),
        makeBus: @escaping @Sendable () throws(DriverFailure) -> any MeterBus
    ) {
        self.settings = settings
        self.makeBus = makeBus
        queue = AcquisitionQueue(capacity: settings.queueCapacity, overflow: settings.overflow)
    }

    /// A hub on the real USB bus.
    package convenience init(rules: DeviceRules, settings: HubSettings = HubSettings()) {
        self.init(settings: settings) { () throws(DriverFailure) in try LibUSBBus(rules: rules) }
    }

    /// What the meters bring. One consumer, once.
    package var events: AcquisitionEvents { AcquisitionEvents(queue: queue) }

    /// Makes the thread, finds the meters and begins. Answers who is recorded; streaming follows within a second or so
    /// (`.link` events tell when).
    package func start(_ selection: MeterSelection = .all) async throws(DriverFailure) -> [StartedMeter] {
        let isFirst = state.withLock { state in
            defer { state.isStarted = true }
            return !state.isStarted
        }
        guard isFirst else { throw .notNow("a hub records once: make another for another recording") }
        let answer: Result<[StartedMeter], DriverFailure> = await withCheckedContinuation { continuation in
            state.withLock { $0.commands.append(.start(selection, continuation)) }
            if let errno = startThread() {
                let pending = state.withLock { state in
                    defer { state.commands = [] }
                    return state.commands
                }
                for case .start(_, let waiting) in pending {
                    waiting.resume(returning: .failure(.noThread(errno: errno)))
                }
            }
        }
        return try answer.get()
    }

    /// Ends the recording politely (one more poll, stop, disconnect, close) and answers the books. Bounded to a few
    /// seconds. May be called more than once; a hub that never started has empty books.
    @discardableResult
    package func stop() async -> HubTotals {
        await withCheckedContinuation { continuation in
            let (waker, ready) = state.withLock { state -> (Waker?, HubTotals?) in
                guard state.isStarted else { return (nil, HubTotals()) }
                if let totals = state.totals { return (nil, totals) }
                state.waiters.append(continuation)
                state.commands.append(.stop)
                return (state.waker, nil)
            }
            if let ready { continuation.resume(returning: ready) }
            waker?.wake()
        }
    }

    /// Looks for meters that came or went without the system saying so.
    package func rescan() {
        let waker = state.withLock { state in
            state.commands.append(.rescan)
            return state.waker
        }
        waker?.wake()
    }

    /// Live counters, at most a tenth of a second old.
    package func snapshot() -> [MeterCounters] { state.withLock { $0.counters } }

    // MARK: The thread

    /// Nil if it runs, else the system's error.
    private func startThread() -> Int32? {
        var thread = pthread_t()
        let code = pthread_create(&thread, nil, Self.entry, Unmanaged.passRetained(self).toOpaque())
        guard code == 0 else {
            Unmanaged.passUnretained(self).release()
            return code
        }
        pthread_detach(thread)
        return nil
    }

    private static let entry: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { raw in
        if let raw { Unmanaged<MeterHub>.fromOpaque(raw).takeRetainedValue().run() }
        return nil
    }

    private func run() {
        _ = wb_thread_set_name("wattbench-usb")
        if let priority = settings.realtimePriority { _ = wb_thread_set_realtime(priority) }
        let bus: any MeterBus
        do throws(DriverFailure) {
            bus = try makeBus()
        } catch {
            return end(HubTotals(), refusing: error)
        }
        state.withLock { $0.waker = Waker(bus: bus) }
        let core = HubCore(bus: bus, settings: settings, queue: queue)
        var isRunning = false
        var nextSnapshot: Int64 = 0
        while true {
            var rescan = false
            for command in takeCommands() {
                switch command {
                case .start(let selection, let continuation):
                    do throws(DriverFailure) {
                        let started = try core.start(selection)
                        isRunning = true
                        state.withLock { $0.counters = core.counters() }
                        continuation.resume(returning: .success(started))
                    } catch {
                        // The caller must be able to read the books as soon as it has the answer.
                        end(core.finish(), refusing: nil)
                        return continuation.resume(returning: .failure(error))
                    }
                case .stop: core.stop()
                case .rescan: rescan = true
                }
            }
            if isRunning { core.turn(rescan: rescan) } else { core.idle() }
            let now = bus.nowNanoseconds
            if now >= nextSnapshot {
                nextSnapshot = now + 100_000_000
                let counters = core.counters()
                state.withLock { $0.counters = counters }
            }
            if isRunning, core.isFinished { break }
        }
        end(core.finish(), refusing: nil)
    }

    private func takeCommands() -> [Command] {
        state.withLock { state in
            defer { state.commands = [] }
            return state.commands
        }
    }

    /// The thread's last act.
    private func end(_ totals: HubTotals, refusing failure: DriverFailure?) {
        if failure != nil { queue.push(.finished(totals)) }
        queue.flush()
        let (waiters, commands) = state.withLock { state in
            state.totals = totals
            state.counters = totals.meters
            state.waker = nil
            defer { state.waiters = [] }
            return (state.waiters, state.commands)
        }
        for case .start(_, let continuation) in commands {
            continuation.resume(returning: .failure(failure ?? .notNow("the hub has ended")))
        }
        for waiter in waiters { waiter.resume(returning: totals) }
    }
}
