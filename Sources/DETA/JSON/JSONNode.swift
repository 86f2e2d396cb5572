/// A JSON value as read, keeping key order, duplicate keys and number tokens that JSON forbids, so that each can be
/// reported at its place instead of being repaired in silence.
package indirect enum JSONNode: Equatable, Sendable {
    case null
    case bool(Bool)
    case number(Double)
    /// `NaN`, `Infinity`, `-Infinity` or a number too large for a double: not JSON, but written by common tools.
    case notFinite(String)
    case string(String)
    case array([JSONNode])
    case object([Member])

    package struct Member: Equatable, Sendable {
        package var key: String
        package var value: JSONNode

        package init(_ key: String, _ value: JSONNode) {
            self.key = key
            self.value = value
        }
    }

    /// What a person would call this value.
    var kindName: String {
        switch self {
        case .null: "null"
        case .bool: "true or false"
        case .number: "a number"
        case .notFinite(let token): token
        case .string: "a text"
        case .array: "a list"
        case .object: "an object"
        }
    }
}
