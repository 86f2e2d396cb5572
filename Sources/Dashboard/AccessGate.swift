import FlyingFox
import Foundation

/// Decides who may read and who may command. Tokens are compared without telling how much of them was right.
struct AccessGate: Sendable {
    let token: String?
    let isLoopback: Bool

    /// On loopback everyone may read; beyond it only with the token.
    func mayRead(_ request: HTTPRequest) -> Bool { isLoopback || holdsToken(request) }

    /// Commands always need the token; without a configured one nobody may command.
    func mayCommand(_ request: HTTPRequest) -> Bool { holdsToken(request) }

    /// A browser says where a page came from; pages of other sites must not connect.
    func isSameOrigin(_ request: HTTPRequest) -> Bool {
        guard let origin = request.headers[HTTPHeader("Origin")] else { return true }
        guard let host = request.headers[.host] else { return false }
        return origin == "http://\(host)" || origin == "https://\(host)"
    }

    var refusal: HTTPResponse {
        HTTPResponse(statusCode: .forbidden, body: Data("A valid token is needed.\n".utf8))
    }

    private func holdsToken(_ request: HTTPRequest) -> Bool {
        guard let token, !token.isEmpty else { return false }
        let bearer = request.headers[.authorization].flatMap { $0.hasPrefix("Bearer ") ? String($0.dropFirst(7)) : nil }
        guard let given = bearer ?? request.query["token"] else { return false }
        return Self.equal(given, token)
    }

    static func equal(_ a: String, _ b: String) -> Bool {
        let (left, right) = (Array(a.utf8), Array(b.utf8))
        var difference = UInt8(left.count == right.count ? 0 : 1)
        for index in right.indices { difference |= right[index] ^ (index < left.count ? left[index] : 0) }
        return difference == 0
    }
}
