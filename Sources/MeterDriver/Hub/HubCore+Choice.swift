import Foundation
import MeterProtocol

extension HubCore {
    struct Choice {
        var meters: [StartedMeter] = []
        /// Found, but not to be had; by the name that a technician would use.
        var unusable: [(DriverFailure, String)] = []
    }

    /// Which of the found meters to record and what to call them. Pure.
    static func choose(_ selection: MeterSelection, from found: [FoundMeter]) throws(DriverFailure) -> Choice {
        let ordered = found.sorted { $0.portPath.compare($1.portPath, options: .numeric) == .orderedAscending }
        func isUnique(_ meter: FoundMeter) -> Bool {
            !meter.serial.isEmpty && ordered.count { $0.serial == meter.serial } == 1
        }
        func started(_ meter: FoundMeter) -> StartedMeter {
            StartedMeter(
                name: isUnique(meter) ? meter.serial : meter.portPath, found: meter,
                profile: MeterProfile.choose(for: meter) ?? .km001c)
        }
        var choice = Choice()
        switch selection {
        case .all:
            for meter in ordered {
                if let failure = problem(meter) {
                    choice.unusable.append((failure, meter.serial.isEmpty ? meter.portPath : meter.serial))
                } else {
                    choice.meters.append(started(meter))
                }
            }
            if choice.meters.isEmpty { throw choice.unusable.first?.0 ?? .noneFound }
        case .named(let names):
            var taken: Set<String> = []
            for name in names {
                let matches = ordered.filter { $0.serial == name || $0.portPath == name }
                guard let meter = matches.first else {
                    throw .absent(serial: name, found: ordered.map { $0.serial.isEmpty ? $0.portPath : $0.serial })
                }
                guard matches.count == 1 else {
                    throw .ambiguous(serial: name, portPaths: matches.map(\.portPath))
                }
                if let failure = problem(meter) { throw failure }
                if taken.insert(meter.portPath).inserted { choice.meters.append(started(meter)) }
            }
            if choice.meters.isEmpty { throw .noneFound }
        }
        return choice
    }

    private static func problem(_ meter: FoundMeter) -> DriverFailure? {
        switch meter.access {
        case .present: nil
        case .forbidden: .forbidden(serial: meter.serial, portPath: meter.portPath)
        case .busy(let holder): .busy(serial: meter.serial, portPath: meter.portPath, holder: holder)
        }
    }
}
