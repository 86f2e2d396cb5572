/// Why a marker receiver could not start or go on.
package enum MarkerServerError: Error, Sendable, Equatable, CustomStringConvertible {
    case badEndpoint(text: String, reason: String)
    /// Anyone who reaches the port could write into the run.
    case tokenNeeded(host: String)
    case cannotListen(host: String, port: Int, reason: String)
    case journal(path: String, reason: String)

    package var description: String {
        switch self {
        case .badEndpoint(let text, let reason):
            "Marker endpoint \"\(text)\": \(reason). Write tcp://HOST:PORT, for example tcp://127.0.0.1:47800."
        case .tokenNeeded(let host):
            "Listening for markers on \(host), beyond this machine, needs a token that the nodes send first: set one, "
                + "or listen on 127.0.0.1 and let the nodes in by ssh -R."
        case .cannotListen(let host, let port, let reason):
            "Cannot listen for markers on \(host) port \(port) (TCP and UDP): \(reason). Choose another port, or end "
                + "the program that holds it."
        case .journal(let path, let reason):
            "Marker journal \(path): \(reason)."
        }
    }
}
