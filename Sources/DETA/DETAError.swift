/// What can go wrong with instances, answers and plans, each as a sentence for a technician.
package enum DETAError: Error, Equatable, Sendable {
    /// The file cannot be read or written.
    case file(path: String, reason: String)
    /// Not JSON: where in the text.
    case syntax(line: Int, column: Int, reason: String)
    /// A value breaks a rule: JSON path, and why.
    case invalid(path: String, reason: String)
    /// A `DETAError` inside the named file.
    indirect case inFile(String, DETAError)
    /// No schedule meets the rules: where the first contradiction lies.
    case infeasible(Infeasibility)
    /// The solver gave no usable answer.
    case solver(String)
    /// A call asks for something that does not exist.
    case usage(String)

    package var message: String {
        switch self {
        case .file(let path, let reason): "\(path): \(reason)"
        case .syntax(let line, let column, let reason): "line \(line), column \(column): \(reason)"
        case .invalid(let path, let reason): "\(path): \(reason)"
        case .inFile(let file, let inner): "\(file): \(inner.message)"
        case .infeasible(let where_): where_.message
        case .solver(let reason): "solver: \(reason)"
        case .usage(let reason): reason
        }
    }
}

extension DETAError: CustomStringConvertible {
    package var description: String { message }
}

/// Where and why no schedule can meet the rules.
package struct Infeasibility: Error, Equatable, Sendable, Codable {
    /// Server index, nil when the fleet as a whole falls short.
    package var server: Int?
    package var serverID: String?
    /// Slot in which the rule cannot be kept.
    package var slot: Int
    package var reason: String

    enum CodingKeys: String, CodingKey {
        case server
        case serverID = "server_id"
        case slot, reason
    }

    package init(server: Int?, serverID: String?, slot: Int, reason: String) {
        self.server = server
        self.serverID = serverID
        self.slot = slot
        self.reason = reason
    }

    package var message: String {
        if let server {
            "infeasible at server \(serverID ?? "?") (index \(server)), slot \(slot): \(reason)"
        } else {
            "infeasible for the whole fleet at slot \(slot): \(reason)"
        }
    }
}
