import Foundation
import Testing

@testable import MeterProtocol

@Suite struct CaptureTests {
    @Test(arguments: Fixtures.sessions)
    func everyCaptureDecodesByteForByteToItsExpectedFiles(session: String) throws {
        let file = try CaptureFile(decoding: Fixtures.bytes("\(session).csv"), name: session)
        let report = CaptureReport(rows: file.rows)
        var made: Set<String> = []
        for (name, text) in report.files(includingPackets: true) {
            let want = try Fixtures.bytes("expected/\(session).\(name)")
            #expect(Array(text.utf8) == want, "\(session).\(name)")
            made.insert("\(session).\(name)")
        }
        let expected = try FileManager.default.contentsOfDirectory(atPath: Fixtures.folder.path + "/expected")
            .filter { $0.hasPrefix(session + ".") }
        #expect(made == Set(expected))
        #expect(report.decoder.undecodable == 0)
        #expect(report.decoder.notes.isEmpty)
    }

    @Test(arguments: Fixtures.sessions)
    func everyCapturedFrameIsWrittenBackByteForByte(session: String) throws {
        let file = try CaptureFile(decoding: Fixtures.bytes("\(session).csv"), name: session)
        let decoder = CaptureDecoder(rows: file.rows)
        for (row, meaning) in zip(file.rows, decoder.meanings) {
            switch meaning.meaning {
            case .request:
                switch try ReceivedRequest(decoding: row.data) {
                case .known(let known):
                    #expect(known.bytes == row.data)
                    #expect(throws: Never.self) { try FrameGuard.check(row.data) }
                case .foreign(let header, _):
                    // The vendor's program switches the PD monitor on and off; the harness does not.
                    #expect([0x10, 0x11].contains(header.type.rawValue))
                    #expect(throws: ProtocolFailure.self) { try FrameGuard.check(row.data) }
                }
            case .reply(let reply): #expect(reply.bytes == row.data)
            case .rawMemory, .none: break
            default: Issue.record("row \(row.seq): \(meaning.meaning)")
            }
            if case .reply(.data(let data)) = meaning.meaning {
                #expect(data.header.words == DataHeader.putDataWords(frameLength: row.data.count), "row \(row.seq)")
                #expect(try rebuilt(data).bytes == row.data, "row \(row.seq)")
            }
            #expect(row.line.utf8.count > 0)
        }
        // Written back as a file, the capture is the same file.
        let text = ([CaptureRow.header] + file.rows.map(\.line)).joined(separator: "\n") + "\n"
        #expect(try Array(text.utf8) == Fixtures.bytes("\(session).csv"))
    }

    /// The reply made anew from its typed contents, as an emulator would.
    private func rebuilt(_ data: PutData) throws -> PutData {
        var contents: [PutData.Content] = []
        for payload in data.payloads {
            switch payload.attribute {
            case .adc: contents.append(.adc(try ADCReading(decoding: payload.bytes)))
            case .adcQueue: contents.append(.adcQueue(try QueuePayload.decode(payload.bytes)))
            case .settings: contents.append(.settings(try MeterSettings(decoding: payload.bytes)))
            case .pdPacket: contents.append(.pd(try PDPayload(decoding: payload.bytes)))
            case .logMetadata: contents.append(.logCatalogue(try LogEntry.decodeCatalogue(payload.bytes)))
            default: Issue.record("attribute \(payload.header.attribute)")
            }
        }
        return PutData(
            id: data.header.id, authLevel: data.header.authLevel, isEncrypted: data.header.isEncrypted,
            contents: contents)
    }
}
