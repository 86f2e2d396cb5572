/// Which meter is emulated.
package enum EmulatedModel: String, Codable, Sendable, CaseIterable {
    case km003c = "KM003C"
    case km002c = "KM002C"
    /// Unverified: nobody has published a byte of a KM001C. This one copies the KM003C under a product id of its own.
    case km001c = "KM001C"

    /// Product id. The KM001C's is not published; 0xF01C is used by no meter we know of.
    package var productID: UInt16 {
        switch self {
        case .km003c: 0x0063
        case .km002c: 0x0061
        case .km001c: 0xF01C
        }
    }

    package var productString: String { "POWER-Z \(rawValue)" }
    package var isUnverified: Bool { self == .km001c }
}

/// Everything that is true of one emulated meter.
package struct MeterTruth: Codable, Sendable, Equatable {
    package var serial: String
    package var model: EmulatedModel
    package var firmware = "1.9.9"
    package var firmwareDate = "2025.9.22"
    package var hardware = "2.1"
    package var hardwareDate = "2022.11.7"
    /// Name of the board on its supply line.
    package var board: String
    /// What is left of the factory calibration: reading = offset + gain · true, V and A.
    package var voltsOffset = 0.0
    package var voltsGain = 1.0
    package var ampsOffset = 0.0
    package var ampsGain = 1.0
    /// −1 where the cable is plugged the other way round: the meter then shows negative current.
    package var currentSign = 1.0
    /// Oscillator error: the meter's millisecond is 1 ms / (1 + ppm·1e-6) of host time.
    package var clockPPM = 0.0
    /// Uptime counter at the start of the bench, ms: near 2^16 or 2^32 to see a wrap in seconds.
    package var uptimeStartMilliseconds: UInt32 = 60_000
    /// Temperature of the meter, °C.
    package var celsius = 26.0
    /// Standard deviations per conversion at 1 kHz (captures: 1.07 mV, 0.37 mA).
    package var voltsNoise = 1.07e-3
    package var ampsNoise = 0.37e-3
    /// One conversion, s; V and I take turns (captures: each channel renewed every 2.1068 ms).
    package var conversionSeconds = 1.0534e-3
    /// Session ends by itself after this long without a command, s.
    package var idleTimeoutSeconds = 5.0
    /// ADC payload of 40 bytes, as older firmware sends it.
    package var shortADC = false
    /// A stale `03 nn 00 00` waits in the FIFO when the bench starts.
    package var staleFrameAtStart = true
    /// Reply latency: fixed part, part per byte, and the width of a uniform jitter.
    package var replyMicroseconds = 100.0
    package var replyMicrosecondsPerByte = 1.1
    package var replyJitterMicroseconds = 40.0

    /// A perfect meter: no gain, offset or clock error.
    package init(serial: String, model: EmulatedModel = .km003c, board: String) {
        self.serial = serial
        self.model = model
        self.board = board
        if model == .km002c { firmware = "2.0.0" }
    }

    /// A meter of a batch: errors spread within the vendor's typical limits (0.05 % gain, 20 ppm clock).
    package init(serial: String, model: EmulatedModel = .km003c, board: String, seed: UInt64) {
        self.init(serial: serial, model: model, board: board)
        var g = SeededGenerator(seed: seed, purpose: "meter truth \(serial)")
        voltsGain += 3e-4 * g.normal()
        ampsGain += 3e-4 * g.normal()
        voltsOffset = 3e-4 * g.normal()
        ampsOffset = 1e-4 * g.normal()
        clockPPM = 12 * g.normal()
        uptimeStartMilliseconds = UInt32(g.uniform(20_000, 3_000_000))
        celsius += g.normal()
    }

    /// 12 bytes, the level-1 credential: the serial and a fixed tail, as real ids look.
    package var hardwareID: [UInt8] {
        let text = Array(serial.utf8.prefix(6))
        return text + [UInt8](repeating: 0x30, count: 6 - text.count) + [0x0d, 0xff, 0x11, 0x0a, 0xff, 0xff]
    }

    /// 64 bytes of text behind address 0x03000C00: serial, 32 hex digits, a number.
    package var serialText: [UInt8] {
        let hex = (0..<16).map { UInt8(truncatingIfNeeded: $0 &* 37) ^ (serial.utf8.first ?? 0) }
            .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let text = Array("\(serial) \(hex) 1".utf8.prefix(64))
        return text + [UInt8](repeating: 0, count: 64 - text.count)
    }
}

/// What happened to the samples of one meter.
package struct MeterCounts: Codable, Sendable, Equatable {
    /// Samples the meter made, and what became of them: generated = sent + overwritten + cleared + still in the ring.
    package var generated = 0
    package var overwritten = 0
    package var sent = 0
    /// Thrown away by START, a reconnect or a reboot.
    package var cleared = 0
    package var requests = 0
    package var idleTimeouts = 0
    package var reboots = 0
}

/// One generated sample and the truth behind it.
package struct SampleTruth: Sendable, Equatable {
    package enum Fate: String, Sendable { case sent, overwritten, cleared }
    /// Unwrapped to 64 bit.
    package var uptimeMilliseconds: Int64
    /// Host time of the meter's tick, ns.
    package var atNanoseconds: Int64
    /// Means of the true signal over the conversions that the sample shows, V and A at the meter's plane.
    package var volts: Double
    package var amps: Double
    /// What was put into the ring, µV and µA.
    package var vbusMicrovolts: Int32
    package var ibusMicroamperes: Int32
    package var fate: Fate
}

/// Something a host must never do to a meter, and did.
package struct Violation: Codable, Sendable, Equatable {
    package var meter: String
    package var atNanoseconds: Int64
    package var text: String
}
