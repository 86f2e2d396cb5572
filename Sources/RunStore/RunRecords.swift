/// A meter as the run knows it: what it said about itself, and how far the harness trusts the protocol with it.
package struct MeterRecord: Sendable, Equatable {
    /// How well the protocol is known for this model: proven on captures of it, or assumed from a sister model.
    package enum ProtocolStatus: String, Sendable { case verified, unverified }

    /// USB serial: the name of the meter everywhere else. Not empty.
    package var serial: String
    /// Bus and port path such as `1-1.4`.
    package var portPath: String
    /// Product string of the USB descriptor.
    package var product: String
    /// `KM001C`, `KM003C`, …; what the identity reads or the descriptor say.
    package var model: String
    package var protocolStatus: ProtocolStatus
    /// A sentence to show wherever numbers of this meter are shown; empty if there is nothing to say.
    package var notice: String
    /// The meter is emulated.
    package var isVirtual: Bool
    package var firmware: String
    package var hardware: String
    /// Nominal sample rate asked for, Hz.
    package var nominalRateHertz: Double
    /// The board whose supply runs through the meter, if the bench file names one.
    package var board: String?
    /// The meter's certificate as JSON text, nil if it has none (values are then uncalibrated).
    package var certificateJSON: String?

    package init(
        serial: String, portPath: String = "", product: String = "", model: String,
        protocolStatus: ProtocolStatus, notice: String = "", isVirtual: Bool = false, firmware: String = "",
        hardware: String = "", nominalRateHertz: Double = 1000, board: String? = nil, certificateJSON: String? = nil
    ) {
        self.serial = serial
        self.portPath = portPath
        self.product = product
        self.model = model
        self.protocolStatus = protocolStatus
        self.notice = notice
        self.isVirtual = isVirtual
        self.firmware = firmware
        self.hardware = hardware
        self.nominalRateHertz = nominalRateHertz
        self.board = board
        self.certificateJSON = certificateJSON
    }
}

/// What the session counted for one meter; given to the writer as it grows and at the stop.
package struct MeterCounters: Sendable, Equatable {
    /// Samples that came twice and were dropped the second time.
    package var repeated: Int
    /// Sessions opened again after the first.
    package var reconnects: Int
    /// Replies that failed their checks.
    package var rejectedReplies: Int
    /// More counters by name; names are `snake_case`.
    package var others: [String: Int]

    package init(repeated: Int = 0, reconnects: Int = 0, rejectedReplies: Int = 0, others: [String: Int] = [:]) {
        self.repeated = repeated
        self.reconnects = reconnects
        self.rejectedReplies = rejectedReplies
        self.others = others
    }
}

/// One marker line of a node, kept as it came; `(node, boot, source, sequence)` is its identity.
package struct MarkerRecord: Sendable, Equatable {
    package struct Identity: Sendable, Hashable {
        package var node: String
        package var boot: String
        package var source: String
        package var sequence: Int64

        package init(node: String, boot: String, source: String, sequence: Int64) {
            self.node = node
            self.boot = boot
            self.source = source
            self.sequence = sequence
        }
    }

    package var identity: Identity
    /// Host CLOCK_MONOTONIC, ns, when the line was received (no part of any measurement).
    package var receivedAtNanoseconds: Int64
    /// `tcp`, `udp` or `file`.
    package var transport: String
    /// The JSON line, unchanged, without its newline.
    package var line: String

    package init(identity: Identity, receivedAtNanoseconds: Int64, transport: String, line: String) {
        self.identity = identity
        self.receivedAtNanoseconds = receivedAtNanoseconds
        self.transport = transport
        self.line = line
    }
}

/// What a board or node reported about itself (frequency, temperature, throttle flags, bytes), kept as it came.
package struct TelemetryRecord: Sendable, Equatable {
    /// Host CLOCK_MONOTONIC, ns, when it was received.
    package var atNanoseconds: Int64
    package var node: String
    /// The JSON line, unchanged.
    package var line: String

    package init(atNanoseconds: Int64, node: String, line: String) {
        self.atNanoseconds = atNanoseconds
        self.node = node
        self.line = line
    }
}

/// Raw stamps of one exchange between the host clock and another clock, kept so that a fit can be redone.
///
/// The asker sends at `t1` and receives at `t4` on its own clock, the answerer receives at `t2` and sends at `t3` on
/// its own. For a clock that is read and not asked (`utc`), `t2` and `t3` are the reading. All ns.
package struct ClockExchange: Sendable, Equatable {
    /// `utc`, or `node/boot` for the monotonic clock of a node.
    package var clock: String
    /// True: the host asked, `t1` and `t4` are host CLOCK_MONOTONIC. False: the other side did.
    package var hostAsked: Bool
    /// Exchanges of one burst share a number.
    package var burst: Int64
    package var t1: Int64
    package var t2: Int64
    package var t3: Int64
    package var t4: Int64

    package init(
        clock: String, hostAsked: Bool = true, burst: Int64 = 0, t1: Int64, t2: Int64, t3: Int64, t4: Int64
    ) {
        self.clock = clock
        self.hostAsked = hostAsked
        self.burst = burst
        self.t1 = t1
        self.t2 = t2
        self.t3 = t3
        self.t4 = t4
    }
}

/// The connection of a marker source closed: a sign that its open spans are over.
package struct SourceClosing: Sendable, Equatable {
    package var node: String
    package var boot: String
    package var source: String
    /// Host CLOCK_MONOTONIC, ns.
    package var atNanoseconds: Int64

    package init(node: String, boot: String, source: String, atNanoseconds: Int64) {
        self.node = node
        self.boot = boot
        self.source = source
        self.atNanoseconds = atNanoseconds
    }
}
