/// What can go wrong with carbon data, each as a sentence for a technician.
package enum CarbonError: Error, Equatable, Sendable {
    case file(path: String, reason: String)
    case line(path: String, line: Int, reason: String)
    case unknownSource(String, valid: [String])
    case unknownRegion(String, source: String, valid: [String])
    /// The source does not reach to that time; nothing is extrapolated.
    case outsideSource(source: String, reason: String)

    package var message: String {
        switch self {
        case .file(let path, let reason): "\(path): \(reason)"
        case .line(let path, let line, let reason): "\(path), line \(line): \(reason)"
        case .unknownSource(let name, let valid):
            "carbon source \"\(name)\" is unknown; valid are \(valid.joined(separator: ", "))"
        case .unknownRegion(let region, let source, let valid):
            "carbon source \(source) has no region \"\(region)\"; it has \(valid.joined(separator: ", "))"
        case .outsideSource(let source, let reason): "carbon source \(source): \(reason)"
        }
    }
}

extension CarbonError: CustomStringConvertible {
    package var description: String { message }
}
