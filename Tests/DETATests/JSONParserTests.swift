import Foundation
import Testing

@testable import DETA

@Suite struct JSONParserTests {
    func parse(_ text: String) throws -> JSONNode { try JSONParser.parse(Data(text.utf8)) }

    @Test func readsEveryKindOfValue() throws {
        let node = try parse(#" {"a":[1,-2.5e3,0],"b":"x\n\u00e9\ud83d\ude00","c":null,"d":true} "#)
        #expect(
            node
                == .object([
                    .init("a", .array([.number(1), .number(-2500), .number(0)])), .init("b", .string("x\né😀")),
                    .init("c", .null), .init("d", .bool(true)),
                ]))
    }

    @Test func keepsForbiddenNumbersForTheReaderToName() throws {
        #expect(
            try parse("[NaN,Infinity,-Infinity,1e999]")
                == .array([
                    .notFinite("NaN"), .notFinite("Infinity"), .notFinite("-Infinity"), .notFinite("1e999"),
                ]))
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\" 1}", "01", "1.", "\"abc", "nul", "[1] 2", "\"\\x\"", "{'a':1}", "\"\\ud800\"",
    ])
    func refusesWhatIsNotJSON(_ text: String) {
        #expect(throws: DETAError.self) { try parse(text) }
    }

    @Test func saysWhereTheMistakeStands() {
        #expect(throws: DETAError.syntax(line: 2, column: 7, reason: "',' or '}' is expected")) {
            try parse("{\n\"a\":1 2}")
        }
    }

    @Test func noBytesMakeItCrash() {
        var random = SplitMix64(seed: 7)
        let alphabet = Array("{}[]:,\"\\u0123456789.eE+-NaInfity tru\n".utf8)
        for _ in 0..<3000 {
            let bytes = (0..<Int(random.next() % 40)).map { _ in alphabet[Int(random.next() % UInt64(alphabet.count))] }
            _ = try? JSONParser.parse(Data(bytes))
        }
    }
}
