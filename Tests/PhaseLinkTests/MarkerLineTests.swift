import Testing
import Timebase

@testable import PhaseLink

@Suite struct MarkerLineTests {
    static let example = """
        {"v":1,"node":"edge-0","boot":"4987cb3ccadb","src":"74e9-adf1f5","seq":17,"mono":3220904555221,\
        "wall":1795424745214681273,"run":"r20261123-090230","t":"mark","ev":"begin","ph":"local_train","span":3,\
        "round":7,"attr":{"bytes":636588,"part":"0"}}
        """

    @Test func readsTheExampleOfTheProtocol() throws {
        guard case .event(let event) = try MarkerLine(decoding: Self.example) else {
            Issue.record("not an event")
            return
        }
        #expect(event.source == SourceIdentity(node: "edge-0", boot: "4987cb3ccadb", source: "74e9-adf1f5"))
        #expect(event.identity.sequence == 17)
        #expect(event.monoNanoseconds == 3_220_904_555_221)
        #expect(event.wallNanoseconds == 1_795_424_745_214_681_273)
        #expect(event.mark == .init(edge: .begin, phase: "local_train", span: 3, round: 7))
        #expect(event.attributes == ["part": .string("0"), "bytes": .integer(636_588)])
        #expect(MarkerLine.event(event).encoded == Self.example)
    }

    @Test(
        arguments: [
            (1 << 53) + 1, 1_795_424_745_214_681_273, Int64.max, 9_007_199_254_740_993, 0,
        ] as [Int64])
    func integersAboveDoublePrecisionStayExact(stamp: Int64) throws {
        let line = #"{"node":"n","boot":"b","src":"s","seq":1,"mono":\#(stamp),"wall":\#(stamp),"t":"hb"}"#
        guard case .event(let event) = try MarkerLine(decoding: line) else {
            Issue.record("not an event")
            return
        }
        #expect(event.monoNanoseconds == stamp)
        #expect(event.wallNanoseconds == stamp)
        #expect(try MarkerLine(decoding: MarkerLine.event(event).encoded) == .event(event))
    }

    @Test(arguments: ["9007199254740993.0", "1e9", "\"17\"", "9223372036854775808", "-5", "null", "true"])
    func stampsThatAreNotPlainIntegersAreRefused(stamp: String) {
        #expect(throws: MarkerLineFailure.self) {
            try MarkerLine(decoding: #"{"node":"n","boot":"b","src":"s","seq":1,"mono":\#(stamp),"t":"hb"}"#)
        }
    }

    @Test func unsignedIdsAboveInt64SurviveInAttributes() throws {
        let value = try JSONScanner.value(of: Array(#"{"id":18446744073709551615}"#.utf8)[...])
        #expect(value == .object(["id": .unsigned(.max)]))
        #expect(value.encoded == #"{"id":18446744073709551615}"#)
    }

    @Test func unknownFieldsAreIgnored() throws {
        let plain = try MarkerLine(decoding: #"{"node":"n","boot":"b","src":"s","seq":1,"mono":5,"t":"hb"}"#)
        let more = try MarkerLine(
            decoding: #" {"x":[1,{"y":null}],"node":"n","boot":"b","src":"s","seq":1,"mono":5,"t":"hb","z":1.5e3} "#)
        #expect(plain == more)
    }

    @Test func unknownKindsAreIgnoredButTheirNumberIsAccountedFor() throws {
        #expect(try MarkerLine(decoding: #"{"t":"future"}"#) == .unknown(kind: "future"))
        let numbered = try MarkerLine(decoding: #"{"node":"n","boot":"b","src":"s","seq":4,"mono":5,"t":"future"}"#)
        guard case .event(let event) = numbered else {
            Issue.record("not an event")
            return
        }
        #expect(!event.isKnown)
        let newer = try MarkerLine(decoding: #"{"v":2,"node":"n","boot":"b","src":"s","seq":4,"mono":5,"t":"mark"}"#)
        #expect(
            newer
                == .event(
                    {
                        var other = event; other.body = .other("mark"); return other
                    }()))
    }

    @Test func linesOverTheLimitAreRefused() {
        let line = #"{"t":"x","pad":""# + String(repeating: "a", count: 8192) + "\"}"
        #expect(throws: MarkerLineFailure.tooLong(bytes: line.utf8.count)) { try MarkerLine(decoding: line) }
    }

    @Test func failuresNameTheFieldAndWhatWasFound() {
        do {
            _ = try MarkerLine(decoding: #"{"node":"n","boot":"b","src":"s","seq":1,"mono":1.5,"t":"hb"}"#)
            Issue.record("accepted a fractional stamp")
        } catch {
            #expect(
                error.description
                    == #"field "mono" must be an integer of 64 bits, without fraction or exponent, found 1.5"#)
        }
    }

    @Test(arguments: [
        MarkerLine.ack(source: "74e9-adf1f5", sequence: 17), .ping(id: 7, t1: .max), .syncRequest(id: 1, t1: 2),
        .pong(id: 7, t1: 1, t2: 2, t3: 3, timeLine: nil),
        .pong(id: 7, t1: 1, t2: 2, t3: 3, timeLine: TimeLine(node: "n\"\\\n\u{1}é😀", boot: "b")),
        .syncResponse(id: 1, t1: 2, t2: 3, t3: 4), .auth(token: "secret"), .refused(reason: "no"),
    ])
    func everyOtherLineRoundTrips(line: MarkerLine) throws {
        #expect(try MarkerLine(decoding: line.encoded) == line)
        #expect(!line.encoded.contains("\n"))
    }

    @Test func everyEventBodyRoundTrips() throws {
        let bodies: [MarkerEvent.Body] = [
            .hello(role: "clientapp", pid: 29_929, program: "flwr-clientapp"), .bye(last: 9), .heartbeat,
            .clock(FourStamps(t1: 1, t2: .max, t3: 3, t4: 4)), .telemetry,
            .mark(.init(edge: .end, phase: "query_serve", span: .max, round: 2)), .other("future"),
        ]
        for body in bodies {
            let event = MarkerEvent(
                identity: MarkerIdentity(source: SourceIdentity(node: "n", boot: "b", source: "s"), sequence: 9),
                monoNanoseconds: 1, wallNanoseconds: 2, run: "r", body: body,
                attributes: ["a": .array([.null, .bool(true), .number(0.5), .object(["k": .string("v")])])])
            #expect(try MarkerLine(decoding: MarkerLine.event(event).encoded) == .event(event))
        }
    }

    @Test func randomDamageNeverCrashesTheReader() {
        var random = SeededGenerator(seed: 7)
        let good = Array(Self.example.utf8)
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...40, using: &random)))
                case 2: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 9)], at: at)
                default: bytes[at] = Array("{}[]\",:\\0-9eE.".utf8).randomElement(using: &random) ?? 0
                }
                if bytes.isEmpty { bytes = good }
            }
            if let line = try? MarkerLine(decoding: bytes[...]) {
                accepted += 1
                // Kinds of other versions are not ours to write.
                if case .unknown = line { continue }
                if case .event(let event) = line, !event.isKnown { continue }
                #expect((try? MarkerLine(decoding: line.encoded)) == line)
            }
        }
        #expect(accepted > 0)
    }

    @Test(arguments: [
        "", "{", "[]", "null", "{}", "{\"t\":1}", "{\"t\":\"mark\"}", "{\"t\":\"ack\",\"src\":\"\",\"seq\":1}",
        #"{"t":"x","a":01}"#, #"{"t":"\ud800"}"#, "{\"t\":\"a\u{1}\"}", #"{"t":"x"} {"t":"x"}"#, #"{"t":"x",}"#,
    ])
    func malformedLinesAreRefused(line: String) {
        #expect(throws: MarkerLineFailure.self) { try MarkerLine(decoding: line) }
    }

    @Test func deepNestingIsRefused() {
        let deep = #"{"t":"x","a":"# + String(repeating: "[", count: 4000) + String(repeating: "]", count: 4000) + "}"
        #expect(throws: MarkerLineFailure.self) { try MarkerLine(decoding: deep) }
    }
}
