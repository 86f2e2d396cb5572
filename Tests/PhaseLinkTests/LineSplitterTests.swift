import Testing

@testable import PhaseLink

@Suite struct LineSplitterTests {
    @Test func linesAreFoundHoweverTheStreamIsCut() {
        var random = SeededGenerator(seed: 3)
        for _ in 0..<300 {
            var expected: [LineSplitter.Piece] = []
            var stream: [UInt8] = []
            for _ in 0..<Int.random(in: 0...20, using: &random) {
                let length = Int.random(in: 0...40, using: &random)
                let line = (0..<length).map { _ in UInt8.random(in: 0x20...0x7E, using: &random) }
                stream += line
                if Bool.random(using: &random) { stream.append(0x0D) }
                stream.append(0x0A)
                if length > 24 {
                    expected.append(.oversized(bytes: 0))
                } else if length > 0 {
                    expected.append(.line(line))
                }
            }
            var splitter = LineSplitter(byteLimit: 24)
            var found: [LineSplitter.Piece] = []
            var rest = stream[...]
            while !rest.isEmpty {
                let cut = min(rest.count, Int.random(in: 1...30, using: &random))
                found += splitter.feed(rest.prefix(cut))
                rest = rest.dropFirst(cut)
            }
            found += splitter.end()
            let sizesForgotten = found.map { piece -> LineSplitter.Piece in
                if case .oversized = piece { .oversized(bytes: 0) } else { piece }
            }
            #expect(sizesForgotten == expected)
        }
    }

    @Test func aLastLineWithoutLineBreakIsGivenAtTheEnd() {
        var splitter = LineSplitter()
        #expect(splitter.feed(Array("ab".utf8)) == [])
        #expect(splitter.end() == [.line(Array("ab".utf8))])
        #expect(splitter.end() == [])
    }

    @Test func memoryStaysBoundedWhileALineWithoutEndComesIn() {
        var splitter = LineSplitter()
        let chunk = [UInt8](repeating: 0x61, count: 65_536)
        for _ in 0..<100 { #expect(splitter.feed(chunk).isEmpty) }
        #expect(splitter.feed([0x0A]) == [.oversized(bytes: 6_553_600)])
    }
}
