import MeterProtocol
import Traces

/// One meter of a hub: its session, its channel and its books. Bus thread only.
final class MeterSlot {
    let meter: StartedMeter
    /// The meter is found again by serial, or by port where the serial does not name it.
    let isNamedByPort: Bool
    let stepMilliseconds: Int64
    var session: MeterSession
    var channel: (any MeterChannel)?
    /// Tells events of the present channel from those of a closed one.
    var channelNumber = 0
    var wantsOpen = false
    var counters: MeterCounters
    var pushedSamples = 0

    init(meter: StartedMeter, settings: MeterSession.Settings) {
        self.meter = meter
        isNamedByPort = meter.name != meter.found.serial
        session = MeterSession(meter: meter.name, profile: meter.profile, settings: settings)
        stepMilliseconds = session.ledger.stepMilliseconds
        counters = MeterCounters(meter: meter)
    }

    func isThis(_ found: FoundMeter) -> Bool {
        isNamedByPort ? found.portPath == meter.found.portPath : found.serial == meter.found.serial
    }

    var isFinished: Bool { session.condition == .finished }

    /// A sentence if the books do not balance.
    func imbalance() -> String? {
        let account = session.account
        if !account.isBalanced(stepMilliseconds: stepMilliseconds) {
            return "meter \(meter.name): received \(account.received) + missing \(account.missing) is not what its own "
                + "clock counts: report this as a defect of the program"
        }
        if pushedSamples + counters.droppedByQueue != account.received {
            return "meter \(meter.name): \(account.received) samples taken, \(pushedSamples) handed on and "
                + "\(counters.droppedByQueue) dropped: report this as a defect of the program"
        }
        return nil
    }
}
