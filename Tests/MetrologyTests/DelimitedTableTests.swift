import Testing

@testable import Metrology

@Suite("Tables read from delimited text")
struct DelimitedTableTests {
    @Test("remembers the line of every row, through comments, blank lines, quotes and CRLF")
    func lines() throws {
        let text = "\u{FEFF}# made by hand\r\na,b , c\r\n1,2,3\r\n\r\n# note\r\n\"x \"\"y\"\"\nz\", 5,6\r\n7,8,9"
        let table = try DelimitedTable(file: "t.csv", text: text, required: ["a", "c"])
        #expect(table.columns == ["a", "b", "c"])
        #expect(table.rowCount == 3)
        #expect((0..<3).map(table.line(ofRow:)) == [3, 6, 8])
        #expect(table.text(row: 1, column: 0) == "x \"y\"\nz")
        #expect(try table.row(2).number("c") == 9)
        #expect(try table.row(1).integer("b") == 5)
    }

    @Test(
        "names file, line and reason",
        arguments: [
            ("", "t.csv: empty, no header line"),
            ("a,b\n1,2\n1\n", "t.csv:3: 1 fields, the header names 2"),
            ("a,a\n1,2\n", "t.csv:1: column \"a\" appears twice"),
            ("a,c\n1,2\n", "t.csv:1: missing column \"b\"; found a, c"),
            ("a,b\n1,\"2\n", "t.csv:2: a quote is opened and never closed"),
        ])
    func faults(text: String, message: String) {
        let error = #expect(throws: MetrologyError.self) {
            try DelimitedTable(file: "t.csv", text: text, required: ["a", "b"])
        }
        #expect(error?.description == message)
    }

    @Test("refuses what is not a finite number", arguments: ["nan", "inf", "", "1,5x", "12 W"])
    func numbers(field: String) throws {
        let table = try DelimitedTable(file: "t.csv", text: "a;b\n1;\(field)\n")
        let error = #expect(throws: MetrologyError.self) { try table.numbers("b") }
        #expect(error?.description.hasPrefix("t.csv:2: column \"b\"") == true)
    }

    @Test("never traps on arbitrary bytes")
    func fuzz() {
        var generator = SplitMix64(seed: 5)
        let alphabet = Array("a,;\t\"\n\r# 1.eE-x".utf8)
        for _ in 0..<3000 {
            let count = Int.random(in: 0..<60, using: &generator)
            let bytes = (0..<count).map { _ in
                Bool.random(using: &generator)
                    ? alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
                    : UInt8.random(in: 0...255, using: &generator)
            }
            guard let table = try? DelimitedTable(file: "f", bytes: bytes) else { continue }
            for row in 0..<table.rowCount {
                for column in table.columns.indices { _ = try? table.number(row: row, column: column) }
            }
        }
    }
}
