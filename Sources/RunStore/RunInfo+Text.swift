import Foundation

extension RunInfo {
    /// The same for people.
    package var text: String {
        var lines = ["\(path): \(closed ? "finished" : "not finished (still recording, or its writer was killed)")"]
        if let durationS { lines.append(String(format: "%.3f s of samples", durationS)) }
        for meter in meters {
            let rate = meter.rateHz.map { String(format: "%.3f Hz", $0) } ?? "no rate"
            lines.append(
                "\(meter.serial) \(meter.model)\(meter.virtual ? " (virtual)" : ""): \(meter.samples) samples, \(rate), "
                    + "\(meter.missing) missing in \(meter.gaps) gaps, \(meter.repeated) repeated, "
                    + "\(meter.reconnects) reconnects, protocol \(meter.protocolStatus)")
            if !meter.countersStored {
                lines.append("    repeats and reconnects are not known: counters were never stored")
            }
            if !meter.isAccounted {
                lines.append(
                    "    NOT ACCOUNTED: \(meter.samples) received + \(meter.missing) missing, \(meter.expected) expected"
                )
            }
            if meter.gapsOfUnknownLength > 0 {
                lines.append("    \(meter.gapsOfUnknownLength) gaps of a length no clock tells")
            }
            if !meter.notice.isEmpty { lines.append("    \(meter.notice)") }
        }
        lines.append(
            "\(markers) markers, \(events) events, \(telemetry) telemetry lines, \(clockExchanges) clock exchanges")
        if let bytesPerSample {
            lines.append(String(format: "%d bytes, %.2f a sample", databaseBytes, bytesPerSample))
        }
        return lines.joined(separator: "\n")
    }
}
