/// Where a marker receiver listens: `tcp://HOST:PORT`. UDP uses the same port.
package struct MarkerEndpoint: Sendable, Equatable, CustomStringConvertible {
    package var host: String
    /// 0 lets the system choose.
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package init(parsing text: String) throws(MarkerServerError) {
        guard text.hasPrefix("tcp://") else { throw .badEndpoint(text: text, reason: "it does not begin with tcp://") }
        var rest = text.dropFirst(6)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard let colon = rest.lastIndex(of: ":") else { throw .badEndpoint(text: text, reason: "the port is missing") }
        guard let port = Int(rest[rest.index(after: colon)...]), (0...65_535).contains(port) else {
            throw .badEndpoint(text: text, reason: "the port is not a number from 0 to 65535")
        }
        var host = rest[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw .badEndpoint(text: text, reason: "an IPv6 address stands in brackets: [::1]")
        }
        guard !host.isEmpty else { throw .badEndpoint(text: text, reason: "the host is missing") }
        self.init(host: String(host), port: port)
    }

    package var description: String { host.contains(":") ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)" }
}
