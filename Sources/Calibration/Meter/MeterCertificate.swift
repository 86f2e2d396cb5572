import Foundation

/// A meter's calibration as it is kept: what was found, how sure, from what, until when, and whether it may be used.
package struct MeterCertificate: Sendable, Codable, Equatable {
    package enum Status: String, Sendable, Codable { case pass, limited, refused }

    package var format = "wattbench-meter-certificate"
    package var version = 1
    package var meter: String
    package var firmware: String
    package var operatorName: String
    package var date: String
    package var validUntil: String
    package var software: String
    package var source: PowerModel.Source
    package var fit: MeterFit
    /// Expanded uncertainty (k = 2) of a corrected value: `a + b·|x|`, V or A.
    package var expandedUncertainty: [Double]
    package var status: Status
    package var reasons: [String]

    /// - Parameters date, validUntil: calendar days, ISO 8601, as the caller knows them.
    package init(
        fit: MeterFit, meter: String, firmware: String, operatorName: String, date: String, validUntil: String,
        software: String, source: PowerModel.Source
    ) {
        self.fit = fit
        self.meter = meter
        self.firmware = firmware
        self.operatorName = operatorName
        self.date = date
        self.validUntil = validUntil
        self.software = software
        self.source = source
        let ends = fit.range.map { ($0, 2 * fit.uncertainty(at: $0)) }
        // The smallest line a + b|x| that lies on or above U at eleven places of the range.
        let places = (0...10).map { fit.range[0] + (fit.range[1] - fit.range[0]) * Double($0) / 10 }
        let nearest = places.map { abs($0) }.min() ?? 0
        let slope = max(
            0,
            ((ends.map(\.1).max() ?? 0) - 2 * fit.uncertainty(at: nearest))
                / max(fit.range.map { abs($0) }.max() ?? 1, 1e-9))
        let level = places.map { 2 * fit.uncertainty(at: $0) - slope * abs($0) }.max() ?? 0
        expandedUncertainty = [max(level, 0), slope]
        var reasons: [String] = []
        var status = Status.pass
        let limit = fit.channel.limit
        let worst = places.map { 2 * fit.uncertainty(at: $0) / (limit.share * abs($0) + limit.fixed) }.max() ?? 0
        if worst > 1 {
            status = worst > 2 ? .refused : .limited
            reasons.append(
                "U(k=2) is \(Self.short(worst)) times the limit \(limit.share * 100) % of reading + \(limit.fixed) \(fit.channel.unit)"
            )
        }
        if fit.largestResidualOverU > 3 {
            let far = fit.largestResidualOverU > 10
            status = far ? .refused : (status == .refused ? .refused : .limited)
            reasons.append(
                "a good point lies \(Self.short(fit.largestResidualOverU)) standard uncertainties off the curve (limit 3)"
            )
        }
        let share = Double(fit.setAside.count) / Double(fit.points)
        if !fit.setAside.isEmpty {
            if share > 0.25 { status = .refused } else if status == .pass { status = .limited }
            reasons.append("\(fit.setAside.count) of \(fit.points) points are bad; repeat them")
        }
        if fit.points < 8 {
            if status == .pass { status = .limited }
            reasons.append("only \(fit.points) points: no proof of linearity")
        }
        if fit.hysteresisIsSignificant {
            if status == .pass { status = .limited }
            reasons.append("readings going down differ from those going up")
        }
        self.status = status
        self.reasons = reasons
    }

    private static func short(_ x: Double) -> String { String(format: "%.2g", x) }

    /// One page for people, self-contained.
    package var html: String {
        func escape(_ text: String) -> String {
            text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;").replacing(
                "\"", with: "&quot;")
        }
        func number(_ x: Double) -> String { String(format: "%.8g", x) }
        func p(_ x: Double?) -> String { x.map { String(format: "%.3g", $0) } ?? "not tested" }
        let unit = fit.channel.unit
        let colour = status == .pass ? "#1a7f37" : (status == .limited ? "#9a6700" : "#cf222e")
        let rows: [(String, String)] = [
            ("Meter", meter), ("Firmware", firmware), ("Channel", fit.channel == .voltage ? "voltage" : "current"),
            ("Date", date), ("Valid until", validUntil), ("Operator", operatorName),
            ("Offset", "\(number(fit.offset)) ± \(number(2 * fit.offsetUncertainty)) \(unit)"),
            ("Gain", "\(number(fit.gain)) ± \(number(2 * fit.gainUncertainty))"), ("Quadratic", number(fit.quad)),
            (
                "U (k = 2)",
                "\(number(expandedUncertainty[0])) \(unit) + \(number(expandedUncertainty[1] * 100)) % of reading"
            ),
            ("Range", "\(number(fit.range[0])) to \(number(fit.range[1])) \(unit)"),
            ("Temperature", fit.temperatureCelsius.map { String(format: "%.1f °C", $0) } ?? "not recorded"),
            ("Points", "\(fit.points), \(fit.setAside.count) set aside"), ("Method", fit.method.rawValue),
            ("p nonlinearity / hysteresis", "\(p(fit.pNonlinearity)) / \(p(fit.pHysteresis))"),
            ("p lack of fit / drift / temperature", "\(p(fit.pLackOfFit)) / \(p(fit.pDrift)) / \(p(fit.pTemperature))"),
            ("Raw points", "\(source.path), SHA-256 \(source.sha256)"), ("Software", software),
        ]
        let table = rows.map { "<tr><th>\(escape($0.0))</th><td>\(escape($0.1))</td></tr>" }.joined(separator: "\n")
        let notes = (reasons + fit.setAside.map { "line \($0.line.map(String.init) ?? "?"): \($0.reason)" })
            .map { "<li>\(escape($0))</li>" }.joined(separator: "\n")
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><title>Calibration of \(escape(meter))</title>
            <style>body{font:15px sans-serif;max-width:46em;margin:2em auto}th{text-align:left;padding-right:2em;vertical-align:top}
            h2{color:\(colour)}td{word-break:break-word}</style></head><body>
            <h1>Calibration certificate</h1>
            <h2>\(status.rawValue)</h2>
            <table>
            \(table)
            </table>
            <p>± and U are expanded uncertainties, k = 2. The correction is applied in software; the meter's memory is not touched.</p>
            <ul>
            \(notes)
            </ul>
            </body></html>

            """
    }
}
