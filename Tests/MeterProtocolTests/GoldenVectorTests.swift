import Testing

@testable import MeterProtocol

/// Every vector of golden_vectors.json, in both directions.
@Suite struct GoldenVectorTests {
    @Test func everyControlFrameHasItsFields() throws {
        var seen = 0
        for vector in try Fixtures.allVectors() where vector["att_field_bits17_31"] != nil {
            let frame = try vector.bytes("hex")
            let header = try ControlHeader(decoding: frame)
            #expect(Int(header.type.rawValue) == (try vector.int("type")))
            #expect(Int(header.id) == (try vector.int("id")))
            #expect(header.isExtended == (try vector.int("extend") == 1))
            #expect(header.isEncrypted == (try vector.int("bit16") == 1))
            #expect(Int(header.argument) == (try vector.int("att_field_bits17_31")))
            #expect(header.bytes == frame)
            seen += 1
        }
        #expect(seen == 18)
    }

    @Test(arguments: [
        ("connect request", HostCommand.connect), ("get data ADC", .getData(.adc)),
        ("host disconnect (constructed: no capture shows a host sending it)", .disconnect),
        ("get data AdcQueue", .getData(.adcQueue)), ("get data ADC+AdcQueue", .getData([.adc, .adcQueue])),
        ("get data ADC+PdPacket", .getData([.adc, .pdPacket])), ("get data settings", .getData(.settings)),
        ("get data PdPacket", .getData(.pdPacket)), ("get data log metadata", .getData(.logMetadata)),
        ("start graph 1000", .startGraph(rateIndex: 3)), ("start graph 50", .startGraph(rateIndex: 2)),
        ("start graph 10", .startGraph(rateIndex: 1)), ("start graph 2", .startGraph(rateIndex: 0)),
        ("stop graph", .stopGraph),
    ])
    func everyRequestIsWrittenAndReadAsCaptured(name: String, command: HostCommand) throws {
        let frame = try Fixtures.vector(name).bytes("hex")
        let request = HostRequest(id: frame[1], command)
        #expect(request.bytes == frame)
        #expect(try ReceivedRequest(decoding: frame) == .known(request))
        #expect(throws: Never.self) { try FrameGuard.check(frame) }
    }

    @Test func acceptRejectAndDisconnectRepliesAreRead() throws {
        #expect(try MeterReply(decoding: Fixtures.vector("connect accept").bytes("hex")) == .accept(id: 1))
        #expect(try MeterReply(decoding: Fixtures.vector("reject").bytes("hex")) == .reject(id: 0xBC))
        let unasked = try Fixtures.vector("meter ends the session by itself").bytes("hex")
        #expect(try MeterReply(decoding: unasked) == .disconnect(id: 1))
        for reply in [MeterReply.accept(id: 1), .reject(id: 0xBC), .disconnect(id: 1)] {
            #expect(try MeterReply(decoding: reply.bytes) == reply)
        }
    }

    @Test func emptyQueueReplyCarriesNothingAndItsLevel() throws {
        let frame = try Fixtures.vector("empty queue reply").bytes("hex")
        let data = try PutData(decoding: frame)
        #expect(data.payloads.isEmpty)
        #expect(data.header.authLevel == 1)
        #expect(try data.queue().isEmpty)
        #expect(PutData(id: 0xC1, authLevel: 1, contents: [.adcQueue([])]).bytes == frame)
    }

    @Test func adcReplyHasEveryField() throws {
        let vector = try Fixtures.vector("ADC reply (44-byte payload)")
        let frame = try vector.bytes("hex")
        let fields = try #require(vector["fields"] as? [String: Any])
        let data = try PutData(decoding: frame)
        let adc = try #require(try data.adc())
        #expect(Int(adc.vbusMicrovolts) == (try fields.int("vbus_uv")))
        #expect(Int(adc.ibusMicroamperes) == (try fields.int("ibus_ua")))
        #expect(Int(adc.vbusAverageMicrovolts) == (try fields.int("vbus_avg_uv")))
        #expect(Int(adc.ibusAverageMicroamperes) == (try fields.int("ibus_avg_ua")))
        #expect(Int(adc.vbusUncalibratedAverage) == (try fields.int("vbus_uncal_avg")))
        #expect(Int(adc.ibusUncalibratedAverage) == (try fields.int("ibus_uncal_avg")))
        #expect(Int(adc.temperatureRaw) == (try fields.int("temp_raw_1_128C")))
        #expect(abs(try #require(adc.temperatureCelsius) - 24.648) < 0.001)
        #expect(Int(adc.cc1) == (try fields.int("cc1_100uv")))
        #expect(Int(adc.cc2) == (try fields.int("cc2_100uv")))
        #expect(Int(adc.dPlus) == (try fields.int("dp_100uv")))
        #expect(Int(adc.dMinus) == (try fields.int("dm_100uv")))
        #expect(Int(adc.vdd) == (try fields.int("vdd_100uv")))
        #expect(Int(adc.rateByte) == (try fields.int("rate_byte")))
        #expect(Int(adc.flags) == (try fields.int("flags_byte")))
        #expect(Int(adc.cc2AverageMillivolts) == (try fields.int("cc2_avg_mv")))
        #expect(Int(try #require(adc.dPlusAverageMillivolts)) == (try fields.int("dp_avg_mv")))
        #expect(Int(try #require(adc.dMinusAverageMillivolts)) == (try fields.int("dm_avg_mv")))
        #expect(PutData(id: frame[1], authLevel: 1, contents: [.adc(adc)]).bytes == frame)
    }

    @Test func shortAdcFormOfOlderFirmwareIsRead() throws {
        let full = try Fixtures.vector("ADC reply (44-byte payload)").bytes("hex")
        let short = try ADCReading(decoding: full[8..<48])
        #expect(short.dPlusAverageMillivolts == nil)
        #expect(short.cc2AverageMillivolts == 3236)
        #expect(short.bytes == Array(full[8..<48]))
        let frame = PutData(id: 10, authLevel: 1, contents: [.adc(short)]).bytes
        #expect(frame.count == 48)
        #expect(try PutData(decoding: frame).adc() == short)
    }

    @Test func queueReplyHasItsSamples() throws {
        let vector = try Fixtures.vector("AdcQueue reply")
        let frame = try vector.bytes("hex")
        let data = try PutData(decoding: frame)
        let samples = try data.queue()
        #expect(samples.count == (try vector.int("samples")))
        let header = try #require(data.payloads.first?.header)
        #expect(header == ExtendedHeader(attribute: 2, hasNext: false, chunk: 39, sizeField: 20))
        for (key, sample) in [("first", samples.first), ("last", samples.last)] {
            let want = try #require(vector[key] as? [String: Any])
            let sample = try #require(sample)
            #expect(Int(sample.uptimeMilliseconds) == (try want.int("uptime_ms")))
            #expect(Int(sample.vbusMicrovolts) == (try want.int("vbus_uv")))
            #expect(Int(sample.ibusMicroamperes) == (try want.int("ibus_ua")))
            #expect(Int(sample.cc1) == (try want.int("cc1_mv")))
            #expect(Int(sample.cc2) == (try want.int("cc2_mv")))
            #expect(Int(sample.dPlus) == (try want.int("dp_mv")))
            #expect(Int(sample.dMinus) == (try want.int("dm_mv")))
        }
        #expect(PutData(id: frame[1], authLevel: 1, contents: [.adcQueue(samples)]).bytes == frame)
    }

    @Test func settingsReplyPassesBothChecksums() throws {
        let vector = try Fixtures.vector("Settings reply")
        let frame = try vector.bytes("hex")
        let data = try PutData(decoding: frame)
        let settings = try MeterSettings(decoding: try #require(data.payload(of: .settings)).bytes)
        #expect(Int(settings.sampleIntervalMicroseconds) == (try vector.int("sample_interval_us")))
        #expect(settings.deviceName == "POWER-Z")
        #expect(PutData(id: frame[1], authLevel: 1, contents: [.settings(settings)]).bytes == frame)
        for (offset, block) in [(3, "A"), (0x71, "B")] {
            var damaged = settings.raw
            damaged[offset] ^= 1
            let failure = #expect(throws: ProtocolFailure.self) { try MeterSettings(decoding: damaged) }
            #expect(failure?.description.contains("block \(block)") == true)
        }
        let made = MeterSettings(sampleIntervalMicroseconds: 2000, name: "POWER-Z")
        #expect(try MeterSettings(decoding: made.raw).sampleIntervalMicroseconds == 2000)
        #expect(!settings.isUncalibrated)
        #expect(settings.flags == 0xF850_0161)
    }

    @Test func everyMemoryReadIsEncodedConfirmedAndDecrypted() throws {
        var seen = 0
        for vector in try Fixtures.allVectors() where vector["request_plaintext"] != nil && vector["address"] != nil {
            let request = try vector.bytes("request_hex")
            let address = try #require(UInt32((vector["address"] as? String ?? "").dropFirst(2), radix: 16))
            let range = MemoryRange(address: address, size: UInt32(try vector.int("size")))
            #expect(HostRequest(id: request[1], .memoryRead(range)).bytes == request)
            #expect(try ReceivedRequest(decoding: request) == .known(HostRequest(id: request[1], .memoryRead(range))))
            #expect(throws: Never.self) { try FrameGuard.check(request) }
            let confirmation = try vector.bytes("confirm_hex")
            #expect(try MeterReply(decoding: confirmation) == .memoryConfirmation(id: confirmation[1], range))
            #expect(MeterReply.memoryConfirmation(id: confirmation[1], range).bytes == confirmation)
            let raw = try vector.bytes("raw_first_block_hex")
            #expect(MemoryRange.cipher.decrypt(raw) == (try vector.bytes("plaintext_first_block_hex")))
            if raw.count == range.cipherLength {
                let memory = try range.decrypt(raw)
                #expect(memory == Array(try vector.bytes("plaintext_first_block_hex").prefix(Int(range.size))))
            }
            seen += 1
        }
        #expect(seen == 5)
        let firmware = try Fixtures.vector("MemoryRead 0x4420/64").bytes("plaintext_first_block_hex")
        #expect(
            try IdentityText(decoding: firmware) == IdentityText(model: "KM003C", version: "1.9.5", date: "2025.1.7"))
    }

    @Test func authRequestAndReplyShareTheirPlaintext() throws {
        let vector = try Fixtures.vector("StreamingAuth accepted at level 1")
        let request = try vector.bytes("request_hex")
        let fields = try #require(vector["plaintext_fields"] as? [String: Any])
        let auth = AuthRequest(
            unixMilliseconds: UInt64(try fields.int("time_ms")), credential: try fields.bytes("credential"),
            nonce: try fields.bytes("random"))
        #expect(auth.plaintext == (try vector.bytes("request_plaintext")))
        #expect(HostRequest(id: request[1], .streamingAuth(auth)).bytes == request)
        #expect(try ReceivedRequest(decoding: request) == .known(HostRequest(id: 6, .streamingAuth(auth))))
        let reply = AuthReply(level: 1, echo: auth)
        #expect(try MeterReply(decoding: vector.bytes("reply_hex")) == .auth(reply))
        #expect(reply.bytes == (try vector.bytes("reply_hex")))
        // KM002C by report: the same level without the encrypted flag, word 0x0202.
        let other = AuthReply(level: 1, isEncrypted: false, echo: auth).bytes
        #expect(other[2...3].elementsEqual([0x02, 0x02]))
        #expect(try MeterReply(decoding: other) == .auth(AuthReply(level: 1, isEncrypted: false, echo: auth)))
    }

    @Test func logCatalogueEntryHasItsFields() throws {
        let vector = try Fixtures.vector("LogMetadata reply")
        let frame = try vector.bytes("hex")
        let data = try PutData(decoding: frame)
        let entries = try LogEntry.decodeCatalogue(try #require(data.payload(of: .logMetadata)).bytes)
        let entry = try #require(entries.first)
        #expect(entries.count == 1)
        #expect(entry.name == vector["name_field"] as? String)
        #expect(Int(entry.sampleCount) == (try vector.int("sample_count")))
        #expect(entry.intervalMilliseconds == 10000)
        #expect(entry.durationSeconds == 5200)
        #expect(Int(entry.chargeMicroampereHours) == (try vector.int("final_charge_uah")))
        #expect(Int(entry.energyMicrowattHours) == (try vector.int("final_energy_uwh")))
        #expect(Int(entry.dataOffset) == (try vector.int("data_offset")))
        #expect(PutData(id: frame[1], authLevel: 1, contents: [.logCatalogue(entries)]).bytes == frame)
        // The empty catalogue has an extended header of size 0.
        let empty = PutData(id: 7, authLevel: 1, contents: [.logCatalogue([])])
        #expect(empty.bytes == [0x41, 0x07, 0xC2, 0xFF, 0x00, 0x02, 0x00, 0x00])
        #expect(try PutData(decoding: empty.bytes).payload(of: .logMetadata)?.bytes.isEmpty == true)
    }

    @Test func pdEventsHaveTheirTimesAndWireBytes() throws {
        let vector = try Fixtures.vector("PdPacket reply with events")
        let frame = try vector.bytes("hex")
        let payload = try #require(try PutData(decoding: frame).payload(of: .pdPacket))
        let pd = try PDPayload(decoding: payload.bytes)
        #expect(pd.uptimeMilliseconds == 6_023_697)
        #expect(pd.vbusMillivolts == 5084)
        #expect(pd.ibusMilliamperes == -72)
        let want = try #require(vector["events"] as? [[String: Any]])
        #expect(pd.events.count == want.count)
        for (event, fields) in zip(pd.events, want) {
            #expect(Int(event.uptimeMilliseconds) == (try fields.int("t_ms")))
            #expect(event.kind == .message(sop: UInt8(try fields.int("sop")), wire: try fields.bytes("wire_hex")))
            #expect(event == .message(at: event.uptimeMilliseconds, wire: event.wire).withFlag(event.flag))
        }
        #expect(PutData(id: frame[1], authLevel: 1, contents: [.pd(pd)]).bytes == frame)
    }

    @Test func cipherAndChecksumMatchTheirStandards() throws {
        // FIPS 197 appendix B and C.1; the check value of CRC-32 is the one for "123456789".
        let b = AES128(keyBytes: try #require([UInt8](hexDigits: "2b7e151628aed2a6abf7158809cf4f3c")))
        let plainB = try #require([UInt8](hexDigits: "3243f6a8885a308d313198a2e0370734"))
        #expect(b.encrypt(plainB).hexDigits == "3925841d02dc09fbdc118597196a0b32")
        #expect(b.decrypt(b.encrypt(plainB)) == plainB)
        let c = AES128(keyBytes: Array(0...15))
        let plainC = try #require([UInt8](hexDigits: "00112233445566778899aabbccddeeff"))
        #expect(c.encrypt(plainC).hexDigits == "69c4e0d86a7b0430d8cdb78070b4c55a")
        #expect(c.decrypt(try #require([UInt8](hexDigits: "69c4e0d86a7b0430d8cdb78070b4c55a"))) == plainC)
        #expect(CRC32.of("123456789".utf8) == 0xCBF4_3926)
    }
}

extension PDEvent {
    func withFlag(_ flag: UInt8) -> PDEvent {
        var copy = self
        copy.flag = flag
        return copy
    }
}
