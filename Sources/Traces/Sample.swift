/// One reading of a meter, as received: nothing corrected.
///
/// Source of the fields: `AdcQueue` sample of the POWER-Z protocol (firmware-notes/).
package struct Sample: Sendable, Equatable {
    /// Meter uptime at the sample, ms, u32 counter unwrapped to 64 bit.
    package var uptimeMilliseconds: Int64
    /// Bus voltage, µV.
    package var vbusMicrovolts: Int32
    /// Bus current, µA, signed: the sign says which way it flows through the meter.
    package var ibusMicroamperes: Int32
    /// CC1, CC2, D+ and D− as sent: 0.1 mV at rate index 0, 1 mV at rate indices 1 to 3.
    package var cc1: UInt16
    package var cc2: UInt16
    package var dPlus: UInt16
    package var dMinus: UInt16

    package init(
        uptimeMilliseconds: Int64, vbusMicrovolts: Int32, ibusMicroamperes: Int32,
        cc1: UInt16 = 0, cc2: UInt16 = 0, dPlus: UInt16 = 0, dMinus: UInt16 = 0
    ) {
        self.uptimeMilliseconds = uptimeMilliseconds
        self.vbusMicrovolts = vbusMicrovolts
        self.ibusMicroamperes = ibusMicroamperes
        self.cc1 = cc1
        self.cc2 = cc2
        self.dPlus = dPlus
        self.dMinus = dMinus
    }

    /// Power of the raw reading, W: VBUS times IBUS, no calibration applied.
    package var rawPowerWatts: Double { Double(vbusMicrovolts) * Double(ibusMicroamperes) * 1e-12 }
}

/// The samples of one reply of one meter, in order, with the host times of the exchange that carried them.
package struct SampleBlock: Sendable, Equatable {
    /// Serial of the meter.
    package var meter: String
    /// Counts the meter's power-ups seen in this run: a reboot or re-plug that restarts the uptime begins a new epoch.
    package var epoch: Int
    /// Host CLOCK_MONOTONIC, ns, when the request was submitted and when the reply completed.
    package var requestedAtNanoseconds: Int64
    package var completedAtNanoseconds: Int64
    /// Not empty; uptimes strictly increasing.
    package var samples: [Sample]

    package init(
        meter: String, epoch: Int, requestedAtNanoseconds: Int64, completedAtNanoseconds: Int64, samples: [Sample]
    ) {
        self.meter = meter
        self.epoch = epoch
        self.requestedAtNanoseconds = requestedAtNanoseconds
        self.completedAtNanoseconds = completedAtNanoseconds
        self.samples = samples
    }
}

/// Samples known to be missing, from the meter's own clock. Never filled.
package struct Gap: Sendable, Equatable {
    package enum Cause: String, Sendable, CaseIterable {
        /// The meter's ring overran between two polls.
        case overrun
        /// A reply was lost, late, short or failed its checks.
        case transfer
        /// The session lapsed and was opened again.
        case session
        /// The meter was unplugged or rebooted.
        case disconnected
        /// A queue inside the harness was full.
        case queue
        /// The block on disk failed its CRC.
        case storage
    }

    package var meter: String
    package var epoch: Int
    /// Uptime of the last sample before and the first sample after the hole, ms.
    package var afterUptimeMilliseconds: Int64
    package var beforeUptimeMilliseconds: Int64
    /// Number of samples missing at the nominal rate; nil where no clock tells (across a reboot).
    package var missing: Int?
    package var cause: Cause

    package init(
        meter: String, epoch: Int, afterUptimeMilliseconds: Int64, beforeUptimeMilliseconds: Int64, missing: Int?,
        cause: Cause
    ) {
        self.meter = meter
        self.epoch = epoch
        self.afterUptimeMilliseconds = afterUptimeMilliseconds
        self.beforeUptimeMilliseconds = beforeUptimeMilliseconds
        self.missing = missing
        self.cause = cause
    }
}
