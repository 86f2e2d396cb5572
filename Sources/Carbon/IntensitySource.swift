package import Foundation
package import Quantities

/// Intensities of a set of regions over time, of one stated kind.
package struct IntensitySource: Sendable {
    package let id: String
    package let basis: IntensityBasis
    package let scope: IntensityScope
    package let resolution: IntensityResolution
    package let year: Int
    /// Standard uncertainty relative to the value, common to all regions and times; nil: not evaluated.
    package let relativeUncertainty: Double?
    /// g/kWh by region: one value (annual), twelve (monthly) or one an hour from `firstHour`.
    package let series: [String: [Double]]
    /// Begin of the first hour, hourly sources only.
    package let firstHour: Date?

    package init(
        id: String, basis: IntensityBasis, scope: IntensityScope, resolution: IntensityResolution, year: Int,
        relativeUncertainty: Double?, series: [String: [Double]], firstHour: Date?
    ) {
        self.id = id
        self.basis = basis
        self.scope = scope
        self.resolution = resolution
        self.year = year
        self.relativeUncertainty = relativeUncertainty
        self.series = series
        self.firstHour = firstHour
    }

    /// One line that every report prints beside the grams.
    package var statement: String {
        let u = relativeUncertainty.map { "u = \(Int(($0 * 1000).rounded()) / 10) %" } ?? "uncertainty not evaluated"
        return "\(id): \(resolution.rawValue), \(basis.rawValue) based, \(scope.rawValue), year \(year), average, \(u)"
    }

    package var regions: [String] { series.keys.sorted() }

    /// Intensity of a region at a time.
    /// - Throws: `CarbonError`; an hourly source outside its hours is an error, an annual or monthly figure is used for
    ///   any year (the statement names its own).
    package func intensity(region: String, at time: Date) throws(CarbonError) -> Quantity<GramsPerKilowattHour> {
        guard let values = series[region] else {
            throw .unknownRegion(region, source: id, valid: regions)
        }
        let place: Int
        switch resolution {
        case .annual: place = 0
        case .monthly: place = Self.calendar.component(.month, from: time) - 1
        case .hourly:
            guard let firstHour else { throw .outsideSource(source: id, reason: "the first hour is not stated") }
            place = Int((time.timeIntervalSince(firstHour) / 3600).rounded(.down))
            guard values.indices.contains(place) else {
                let end = firstHour.addingTimeInterval(Double(values.count) * 3600)
                throw .outsideSource(
                    source: id,
                    reason: "\(Self.text(time)) is outside \(Self.text(firstHour)) to \(Self.text(end))")
            }
        }
        guard values.indices.contains(place), values[place].isFinite else {
            throw .outsideSource(source: id, reason: "no value for \(region) at \(Self.text(time))")
        }
        return quantity(values[place])
    }

    /// Mean over `[start, start + seconds)`, each hour weighted by its share.
    package func mean(region: String, from start: Date, seconds: Double) throws(CarbonError)
        -> Quantity<GramsPerKilowattHour>
    {
        var weighted = 0.0
        var done = 0.0
        while done < seconds - 1e-9 {
            let time = start.addingTimeInterval(done)
            let intoHour = time.timeIntervalSinceReferenceDate.truncatingRemainder(dividingBy: 3600)
            let step = min(seconds - done, 3600 - (intoHour < 0 ? intoHour + 3600 : intoHour))
            weighted += try intensity(region: region, at: time).value * step
            done += step
        }
        guard seconds > 0 else { return try intensity(region: region, at: start) }
        return quantity(weighted / seconds)
    }

    private func quantity(_ value: Double) -> Quantity<GramsPerKilowattHour> {
        relativeUncertainty.map { Quantity(value, u: $0 * value) } ?? .notEvaluated(value)
    }

    private static let calendar: Calendar = {
        var calendar = Calendar(identifier: .gregorian)
        if let utc = TimeZone(secondsFromGMT: 0) { calendar.timeZone = utc }
        return calendar
    }()

    static func text(_ date: Date) -> String { date.formatted(.iso8601) }
}

/// Carbon of an energy: CO2e = energy x intensity, errors independent of each other.
package func carbon(of energy: Quantity<WattHours>, at intensity: Quantity<GramsPerKilowattHour>) -> Quantity<
    GramsCO2e
> {
    let grams = energy.value / 1000 * intensity.value
    guard let ue = energy.standardUncertainty, let ui = intensity.standardUncertainty else {
        return .notEvaluated(grams)
    }
    let parts = (ue / 1000 * intensity.value, energy.value / 1000 * ui)
    return Quantity(grams, u: (parts.0 * parts.0 + parts.1 * parts.1).squareRoot())
}
