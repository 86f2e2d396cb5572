/// A fitted number with its standard uncertainty (k = 1), as written to JSON; the key that holds it names the unit.
package struct Estimate: Sendable, Codable, Equatable {
    package var value: Double
    /// Standard uncertainty, k = 1.
    package var u: Double

    package init(value: Double, u: Double) {
        self.value = value
        self.u = u
    }
}

/// How a check came out. Amber and red are always shown; they never change a number behind the reader's back.
package enum TrafficLight: String, Sendable, Codable, CaseIterable {
    case green, amber, red

    /// The worse of two.
    package func worse(_ other: TrafficLight) -> TrafficLight {
        let order: [TrafficLight] = [.green, .amber, .red]
        return (order.firstIndex(of: self) ?? 0) >= (order.firstIndex(of: other) ?? 0) ? self : other
    }
}

/// One line of the diagnostics table: what was checked, the figure, the light, and a sentence when it is not green.
package struct Diagnostic: Sendable, Codable, Equatable {
    package var check: String
    package var value: Double?
    package var light: TrafficLight
    package var note: String?

    package init(check: String, value: Double?, light: TrafficLight, note: String? = nil) {
        self.check = check
        self.value = value.flatMap { $0.isFinite ? $0 : nil }
        self.light = light
        self.note = note
    }
}

/// A row that the fit set aside or nearly so: where it stood and why.
package struct SetAside: Sendable, Codable, Equatable {
    package var line: Int?
    package var reason: String

    package init(line: Int?, reason: String) {
        self.line = line
        self.reason = reason
    }
}
