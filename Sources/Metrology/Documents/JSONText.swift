/// A JSON document whose numbers keep the digits they were written with, and whose objects keep their order.
///
/// Reading a number as a double first would cost up to four digits of readings such as 1000000000000.4.
package indirect enum JSONText: Sendable, Equatable {
    case null
    case bool(Bool)
    /// The digits as written.
    case number(String)
    case string(String)
    case array([JSONText])
    case object([(key: String, value: JSONText)])

    package static func == (a: JSONText, b: JSONText) -> Bool { a.serialized() == b.serialized() }

    /// A double in the shortest form that reads back the same; null where it is not finite.
    package static func number(_ value: Double) -> JSONText {
        value.isFinite ? .number("\(value)") : .null
    }

    package static func numbers(_ values: [Double]) -> JSONText { .array(values.map { .number($0) }) }

    package subscript(key: String) -> JSONText? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    /// Value of a number, nil for anything else.
    package var double: Double? {
        if case .number(let text) = self { return Double(text) }
        return nil
    }

    package var text: String? {
        if case .string(let text) = self { return text }
        return nil
    }

    package var array: [JSONText]? {
        if case .array(let values) = self { return values }
        return nil
    }

    /// Sets or adds a member of an object; anything else stays as it is.
    package mutating func set(_ key: String, _ value: JSONText) {
        guard case .object(var members) = self else { return }
        if let index = members.firstIndex(where: { $0.key == key }) {
            members[index].value = value
        } else {
            members.append((key, value))
        }
        self = .object(members)
    }

    /// Drops a member of an object.
    package mutating func remove(_ key: String) {
        guard case .object(let members) = self else { return }
        self = .object(members.filter { $0.key != key })
    }

    /// One line of JSON.
    package func serialized() -> String {
        var text = ""
        write(to: &text)
        return text
    }

    private func write(to text: inout String) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .number(let digits): text += digits
        case .string(let value): Self.quote(value, to: &text)
        case .array(let values):
            text += "["
            for (index, value) in values.enumerated() {
                if index > 0 { text += "," }
                value.write(to: &text)
            }
            text += "]"
        case .object(let members):
            text += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { text += "," }
                Self.quote(member.key, to: &text)
                text += ":"
                member.value.write(to: &text)
            }
            text += "}"
        }
    }

    private static func quote(_ value: String, to text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            default:
                if scalar.value < 0x20 {
                    let code = String(scalar.value, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - code.count) + code
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        text += "\""
    }
}
