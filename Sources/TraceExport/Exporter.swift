/// One export format. Adding one adds a folder and a line in `all`.
package protocol Exporter: Sendable {
    /// Word after `--format`.
    static var name: String { get }
    /// One line for the help.
    static var summary: String { get }
    init()
    /// Writes the files into `folder` (exists) and returns their paths, complete and durable. `progress` hears the
    /// number of samples written since it was last called.
    func export(
        _ source: any TraceSource, into folder: String, options: ExportOptions, progress: (Int) -> Void
    ) throws -> [String]
}

package struct ExportOptions: Sendable {
    /// Replace files that are there.
    package var overwrite: Bool
    /// Samples joined to one point in the viewers' formats (firefox, perfetto); energy stays exact. 1 = all.
    package var decimation: Int
    /// Carbon intensity for viewers that show CO2e, g/kWh.
    package var gramsPerKilowattHour: Double?

    package init(overwrite: Bool = false, decimation: Int = 1, gramsPerKilowattHour: Double? = nil) {
        self.overwrite = overwrite
        self.decimation = max(1, decimation)
        self.gramsPerKilowattHour = gramsPerKilowattHour
    }
}

package enum Exporters {
    package static let all: [any Exporter.Type] = [
        CSVExporter.self
    ]

    package static var names: [String] { all.map { $0.name } }

    package static func named(_ name: String) throws(ExportError) -> any Exporter {
        guard let found = all.first(where: { $0.name == name }) else {
            throw .unknownFormat(name: name, known: names)
        }
        return found.init()
    }
}
