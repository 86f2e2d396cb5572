/// What an intensity figure counts; figures of different kinds must not be mixed in one statement.
package enum IntensityBasis: String, Sendable, CaseIterable, Codable {
    /// The area's own generation mix.
    case production
    /// The mix consumed after trade between areas.
    case consumption
}

/// Which emissions of the plants are counted.
package enum IntensityScope: String, Sendable, CaseIterable, Codable {
    /// Stack emissions only (a hydro area is near 0); the kind scope 2 reporting uses.
    case direct
    /// Building, fuel supply and operation of the plants (a hydro area is 24 g/kWh).
    case lifeCycle = "life-cycle"
}

/// How often the figure changes.
package enum IntensityResolution: String, Sendable, CaseIterable, Codable {
    case annual, monthly, hourly
}
