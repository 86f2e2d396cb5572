import CLibUSB
import Dispatch
import MeterProtocol
import Synchronization

/// Looks for devices on a thread of its own, so that a kernel that is busy with one new device cannot keep the bus
/// thread from polling the others.
final class DeviceScout: Sendable {
    private struct State {
        var isRunning = false
        var wantsAnother = false
        var result: DeviceSurveyor.Survey?
        var topology: [String] = []
    }

    private let surveyor: DeviceSurveyor
    private let queue = DispatchQueue(label: "wattbench.scout")
    private let state = Mutex(State())

    init(surveyor: DeviceSurveyor) {
        self.surveyor = surveyor
        state.withLock { $0.topology = surveyor.topology() }
    }

    /// Asks for a survey; at most one runs, and at most one more is remembered.
    func look(open: Set<String>) {
        let begin = state.withLock { state in
            defer { state.isRunning = true }
            if state.isRunning { state.wantsAnother = true }
            return !state.isRunning
        }
        if begin { queue.async { self.run(open) } }
    }

    /// Asks whether sysfs lists other devices than before, and for a survey if so. Removals happen without a hot-plug
    /// event too (host sleep), and arrivals without udevd.
    func glance(open: Set<String>) {
        queue.async { [self] in
            let seen = surveyor.topology()
            let isNews = state.withLock { state in
                defer { state.topology = seen }
                return state.topology != seen
            }
            if isNews { look(open: open) }
        }
    }

    private func run(_ open: Set<String>) {
        let result = try? surveyor.survey(open: open)
        let again = state.withLock { state in
            if let result { state.result = result }
            defer { state.wantsAnother = false }
            state.isRunning = state.wantsAnother
            return state.wantsAnother
        }
        libusb_interrupt_event_handler(surveyor.context.raw)
        if again { queue.async { self.run(open) } }
    }

    /// The newest survey, once.
    func takeResult() -> DeviceSurveyor.Survey? {
        state.withLock { state in
            defer { state.result = nil }
            return state.result
        }
    }

    /// Waits until nothing runs: afterwards the context may be closed.
    func finish() {
        state.withLock { $0.wantsAnother = false }
        queue.sync {}
    }
}
