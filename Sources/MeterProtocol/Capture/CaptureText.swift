import Foundation

/// Numbers as the reference decodings print them.
enum DecimalText {
    /// Rounded half to even of the exact binary value, trailing zeros cut down to one digit behind the point.
    static func fixed(_ value: Double, places: Int) -> String {
        var text = String(format: "%.\(places)f", value)
        while text.hasSuffix("0"), !text.hasSuffix(".0") { text.removeLast() }
        return text
    }
}

/// JSON with its members in a fixed order, laid out as the reference summaries are.
indirect enum JSONText {
    case object([(String, JSONText)])
    case array([JSONText])
    case string(String)
    case number(String)
    case int(Int)
    case bool(Bool)
    case null

    func text(indent: Int, depth: Int = 0) -> String {
        let inner = String(repeating: " ", count: indent * (depth + 1))
        let outer = String(repeating: " ", count: indent * depth)
        func block(_ open: String, _ lines: [String], _ close: String) -> String {
            lines.isEmpty
                ? open + close : open + "\n" + lines.map { inner + $0 }.joined(separator: ",\n") + "\n" + outer + close
        }
        switch self {
        case .object(let members):
            return block("{", members.map { "\(Self.quoted($0)): \($1.text(indent: indent, depth: depth + 1))" }, "}")
        case .array(let items): return block("[", items.map { $0.text(indent: indent, depth: depth + 1) }, "]")
        case .string(let value): return Self.quoted(value)
        case .number(let value): return value
        case .int(let value): return "\(value)"
        case .bool(let value): return value ? "true" : "false"
        case .null: return "null"
        }
    }

    private static func quoted(_ value: String) -> String {
        var out = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case _ where scalar.value < 0x20: out += String(format: "\\u%04x", scalar.value)
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}

extension PDEvent {
    /// As in pd.csv.
    var label: String {
        switch kind {
        case .connect: "connect"
        case .disconnect: "disconnect"
        case .message(let sop, let wire): "pd_message sop=\(sop) wire=\(wire.hexDigits)"
        case .line(let code): "line code=\(hex(code))"
        }
    }
}

extension CaptureDecoder.Meaning {
    /// `type,id,attribute,meaning,detail` as in packets.csv.
    var columns: String {
        switch self {
        case .none: ",,,none,"
        case .part: ",,,part,"
        case .otherEndpoint: ",,,other-endpoint,"
        case .rawMemory(let length): ",,,raw-memory-data,\(length)"
        case .undecodable(let why): ",,,undecodable,\(Self.field(why))"
        case .request(let header): "\(header.type.rawValue),\(header.id),\(header.argument),request,"
        case .reply(let reply): Self.columns(of: reply)
        }
    }

    private static func columns(of reply: MeterReply) -> String {
        func control(_ type: FrameType, _ id: UInt8, _ meaning: String) -> String {
            "\(type.rawValue),\(id),,\(meaning),"
        }
        switch reply {
        case .accept(let id): return control(.accept, id, "accept")
        case .reject(let id): return control(.reject, id, "reject")
        case .disconnect(let id): return control(.disconnect, id, "disconnect")
        case .error(let id): return control(.error, id, "error")
        case .memoryNotReadable(let id): return control(.memoryNotReadable, id, "memory-not-readable")
        case .other(let header, _): return control(header.type, header.id, "other")
        case .memoryConfirmation(let id, let range):
            return control(.memoryRead, id, "memory-confirm") + "addr=\(hex(range.address)) size=\(range.size)"
        case .auth(let auth):
            let word = DataHeader(
                type: .streamingAuth, id: 0, authLevel: auth.level, words: 8, isEncrypted: auth.isEncrypted)
            let attribute: UInt16 = word.bytes.little(at: 2)
            let json =
                "{\"success\": \(auth.level >= 1), \"auth_level\": \(auth.level), \"attribute\": \(attribute), "
                + "\"decrypted_payload\": \"\(auth.echo.plaintext.hexDigits)\"}"
            return control(.streamingAuth, 0, "auth-reply") + field(json)
        case .data(let data):
            let attributes = data.payloads.map { "0x" + String($0.header.attribute, radix: 16) }
            let details = zip(attributes, data.payloads).map {
                "att=\($0),chunk=\($1.header.chunk),len=\($1.bytes.count)"
            }
            return "\(FrameType.putData.rawValue),\(data.header.id),\(attributes.joined(separator: "+")),data,"
                + field(details.joined(separator: " "))
        }
    }

    /// A CSV field, in quotes where it needs them.
    private static func field(_ text: String) -> String {
        guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}
