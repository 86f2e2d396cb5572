/// What the page shows beside the traces. Everything here is a statement with its unit in the name.
package struct LiveStatus: Sendable, Equatable, Codable {
    package struct Lane: Sendable, Equatable, Codable {
        package var meter: String
        package var model: String
        /// `verified` or `unverified`.
        package var protocolStatus: String
        package var isVirtual: Bool
        package var board: String
        package var boardState: String
        package var rateHertz: Double
        package var received: Int
        package var missing: Int
        package var reconnects: Int
        package var powerWatts: Double?
        package var phase: String
        package var certificate: String?

        package init(
            meter: String, model: String, protocolStatus: String, isVirtual: Bool, board: String,
            boardState: String = "unknown",
            rateHertz: Double = 0, received: Int = 0, missing: Int = 0, reconnects: Int = 0, powerWatts: Double? = nil,
            phase: String = "", certificate: String? = nil
        ) {
            self.meter = meter
            self.model = model
            self.protocolStatus = protocolStatus
            self.isVirtual = isVirtual
            self.board = board
            self.boardState = boardState
            self.rateHertz = rateHertz
            self.received = received
            self.missing = missing
            self.reconnects = reconnects
            self.powerWatts = powerWatts
            self.phase = phase
            self.certificate = certificate
        }
    }

    package struct Progress: Sendable, Equatable, Codable {
        package var stage: String
        package var elapsedSeconds: Double
        package var remainingSeconds: Double
        package init(stage: String, elapsedSeconds: Double, remainingSeconds: Double) {
            self.stage = stage
            self.elapsedSeconds = elapsedSeconds
            self.remainingSeconds = remainingSeconds
        }
    }

    package struct Alarm: Sendable, Equatable, Codable {
        package var atSeconds: Double
        package var severity: String
        package var source: String
        package var text: String
        package init(atSeconds: Double, severity: String, source: String, text: String) {
            self.atSeconds = atSeconds
            self.severity = severity
            self.source = source
            self.text = text
        }
    }

    package var title: String
    package var lanes: [Lane]
    package var progress: Progress?
    /// The newest last; bounded.
    package var alarms: [Alarm]
    package var notices: [String]

    package init(
        title: String, lanes: [Lane] = [], progress: Progress? = nil, alarms: [Alarm] = [], notices: [String] = []
    ) {
        self.title = title
        self.lanes = lanes
        self.progress = progress
        self.alarms = alarms
        self.notices = notices
    }

    package mutating func add(_ alarm: Alarm) {
        alarms.append(alarm)
        if alarms.count > 50 { alarms.removeFirst(alarms.count - 50) }
    }
}
