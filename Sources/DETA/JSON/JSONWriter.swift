package import Foundation

/// Writes JSON in a fixed member order (files that can be compared byte for byte), numbers in their shortest exact form.
package struct JSONWriter {
    package private(set) var data = Data()
    private var needsComma = false

    package init() {}

    private mutating func raw(_ text: String) { data.append(contentsOf: text.utf8) }

    private mutating func separate() {
        if needsComma { raw(",") }
        needsComma = false
    }

    package mutating func object(_ body: (inout JSONWriter) -> Void) {
        separate()
        raw("{")
        body(&self)
        raw("}")
        needsComma = true
    }

    package mutating func array<S: Sequence>(_ items: S, _ body: (inout JSONWriter, S.Element) -> Void) {
        separate()
        raw("[")
        for item in items { body(&self, item) }
        raw("]")
        needsComma = true
    }

    package mutating func key(_ key: String) {
        separate()
        string(key)
        raw(":")
        needsComma = false
    }

    package mutating func value(_ number: Double) {
        separate()
        // JSON has no NaN: an unknown number is null.
        raw(number.isFinite ? shortest(number == 0 ? 0 : number) : "null")
        needsComma = true
    }

    package mutating func value(_ number: Int) {
        separate()
        raw(String(number))
        needsComma = true
    }

    package mutating func value(_ flag: Bool) {
        separate()
        raw(flag ? "true" : "false")
        needsComma = true
    }

    package mutating func value(_ text: String) {
        separate()
        string(text)
        needsComma = true
    }

    package mutating func null() {
        separate()
        raw("null")
        needsComma = true
    }

    package mutating func member(_ name: String, _ number: Double) {
        key(name)
        value(number)
    }

    package mutating func member(_ name: String, _ number: Double?) {
        key(name)
        if let number { value(number) } else { null() }
    }

    package mutating func member(_ name: String, _ number: Int) {
        key(name)
        value(number)
    }

    package mutating func member(_ name: String, _ flag: Bool) {
        key(name)
        value(flag)
    }

    package mutating func member(_ name: String, _ text: String) {
        key(name)
        value(text)
    }

    package mutating func member(_ name: String, _ numbers: [Double]) {
        key(name)
        array(numbers) { out, number in out.value(number) }
    }

    /// A flattened table as a list of rows.
    package mutating func member(_ name: String, table: [Double], columns: Int) {
        key(name)
        let rows = columns > 0 ? table.count / columns : 0
        array(0..<rows) { out, row in
            out.array(table[(row * columns)..<((row + 1) * columns)]) { out, number in out.value(number) }
        }
    }

    private mutating func string(_ text: String) {
        raw("\"")
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": raw("\\\"")
            case "\\": raw("\\\\")
            case "\n": raw("\\n")
            case "\t": raw("\\t")
            case "\r": raw("\\r")
            case "\u{0}"..<"\u{20}": raw(String(format: "\\u%04x", scalar.value))
            default: data.append(contentsOf: String(scalar).utf8)
            }
        }
        raw("\"")
    }
}
