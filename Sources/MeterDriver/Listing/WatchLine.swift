import MeterProtocol

/// One meter at one moment, as `meters watch` shows it.
package struct WatchLine: Sendable, Equatable, Encodable {
    package var meter: String
    package var model: String
    package var protocolStatus: String
    package var isVirtual: Bool
    package var link: String
    /// Newest raw reading, uncorrected.
    package var volts: Double?
    package var amperes: Double?
    package var watts: Double?
    /// Samples handed on since the line before, per second.
    package var rateHertz: Double
    package var received: Int
    package var missing: Int
    package var repeated: Int
    package var rejected: Int
    package var reconnects: Int

    enum CodingKeys: String, CodingKey {
        case meter, model, link, received, missing, repeated, rejected, reconnects
        case protocolStatus = "protocol_status"
        case isVirtual = "virtual"
        case volts = "voltage_v"
        case amperes = "current_a"
        case watts = "power_w"
        case rateHertz = "rate_hz"
    }

    /// - Parameters:
    ///   - before: the counters at the line before, nil for the first.
    ///   - seconds: time between the two.
    package init(_ now: MeterCounters, before: MeterCounters?, seconds: Double) {
        meter = now.meter.name
        model = now.meter.model
        protocolStatus = now.meter.profile.status.rawValue
        isVirtual = now.meter.found.isVirtual
        link = now.link.rawValue
        let newest = (now.newestMicrovolts, now.newestMicroamperes)
        if let microvolts = newest.0, let microamperes = newest.1 {
            volts = Double(microvolts) * 1e-6
            amperes = Double(microamperes) * 1e-6
            watts = Double(microvolts) * Double(microamperes) * 1e-12
        }
        rateHertz = seconds > 0 ? Double(now.received - (before?.received ?? 0)) / seconds : 0
        received = now.received
        missing = now.missing
        repeated = now.account.repeated
        rejected = now.account.rejected
        reconnects = now.traffic.reconnects + now.traffic.sessionsLost
    }

    package static let header =
        "meter        link        voltage/V  current/A    power/W  rate/Hz   received  missing  repeated  mended"

    package var text: String {
        func field(_ value: Double?, _ width: Int, _ digits: Int) -> String {
            guard let value else { return padded("-", width) }
            let scale = [1.0, 10, 100, 1000, 10_000][digits]
            let whole = Int64((value * scale).rounded())
            let sign = whole < 0 ? "-" : ""
            let text = String(whole.magnitude)
            let filled = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
            return padded(sign + filled.dropLast(digits) + (digits > 0 ? "." + filled.suffix(digits) : ""), width)
        }
        func padded(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        func left(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        return left(meter, 12) + " " + left(link, 11) + field(volts, 10, 4) + field(amperes, 11, 4)
            + field(watts, 11, 4) + field(rateHertz, 9, 1) + padded(String(received), 11)
            + padded(String(missing), 9) + padded(String(repeated), 10) + padded(String(reconnects), 8)
            + (isVirtual ? "  virtual" : "") + (protocolStatus == "verified" ? "" : "  \(model): \(protocolStatus)")
    }
}
