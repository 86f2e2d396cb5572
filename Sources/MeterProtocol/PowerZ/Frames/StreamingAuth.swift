/// The plaintext of a STREAMING_AUTH request, 32 bytes: Unix time in ms, a 12-byte credential, 12 further bytes.
package struct AuthRequest: Sendable, Equatable {
    package static let frameSize = 36
    package static let credentialSize = 12
    static let requestCipher = AES128(key: "Fa0b4tA25f4R038a")
    static let replyCipher = AES128(key: "FX0b4tA25f4R038a")

    /// Not checked by the meter against anything we know of.
    package var unixMilliseconds: UInt64
    /// 12 bytes read from the meter itself.
    package var credential: [UInt8]
    /// 12 bytes; the vendor's program sends four zeros and eight random bytes.
    package var nonce: [UInt8]

    /// - Precondition: 12 bytes each.
    package init(unixMilliseconds: UInt64, credential: [UInt8], nonce: [UInt8]) {
        precondition(credential.count == 12 && nonce.count == 12, "credential and nonce have 12 bytes")
        self.unixMilliseconds = unixMilliseconds
        self.credential = credential
        self.nonce = nonce
    }

    package var plaintext: [UInt8] {
        var out: [UInt8] = []
        out.append(little: unixMilliseconds)
        return out + credential + nonce
    }

    init(plaintext p: [UInt8]) {
        self.init(unixMilliseconds: p.little(at: 0), credential: Array(p[8..<20]), nonce: Array(p[20..<32]))
    }

    func requestBytes(id: UInt8) -> [UInt8] {
        DataHeader(type: .streamingAuth, id: id, words: 8).bytes + Self.requestCipher.encrypt(plaintext)
    }

    init(request frame: [UInt8]) throws(ProtocolFailure) {
        guard frame.count == Self.frameSize else {
            throw .wrongLength(part: "STREAMING_AUTH request", expected: "\(Self.frameSize)", found: frame.count)
        }
        self.init(plaintext: Self.requestCipher.decrypt(frame[4...]))
    }
}

/// A meter's answer to STREAMING_AUTH: the granted level, and the request's plaintext under another key.
package struct AuthReply: Sendable, Equatable {
    /// 0 = refused, 1 = enough for streaming, 2 = privileged.
    package var level: UInt8
    /// KM003C sets the encrypted flag in the reply, KM002C does not (by report).
    package var isEncrypted: Bool
    /// The plaintext that the meter sends back: the request's own.
    package var echo: AuthRequest

    package init(level: UInt8, isEncrypted: Bool = true, echo: AuthRequest) {
        self.level = level
        self.isEncrypted = isEncrypted
        self.echo = echo
    }

    /// The 36 bytes; the id is always 0.
    package var bytes: [UInt8] {
        DataHeader(type: .streamingAuth, id: 0, authLevel: level, words: 8, isEncrypted: isEncrypted).bytes
            + AuthRequest.replyCipher.encrypt(echo.plaintext)
    }

    init(frame: [UInt8]) throws(ProtocolFailure) {
        guard frame.count == AuthRequest.frameSize else {
            throw .wrongLength(part: "STREAMING_AUTH reply", expected: "\(AuthRequest.frameSize)", found: frame.count)
        }
        let header = try DataHeader(decoding: frame)
        self.init(
            level: header.authLevel, isEncrypted: header.isEncrypted,
            echo: AuthRequest(plaintext: AuthRequest.replyCipher.decrypt(frame[4...])))
    }
}
