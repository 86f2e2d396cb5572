import Foundation
import FoundationNetworking
import Synchronization
import Testing

@testable import Dashboard

@Suite struct DashboardServerTests {
    static func feed() -> LiveFeed {
        LiveFeed(
            status: LiveStatus(
                title: "test",
                lanes: [
                    .init(
                        meter: "VB0001", model: "KM001C", protocolStatus: "unverified", isVirtual: true, board: "pi\"01"
                    )
                ]), originNanoseconds: 0)
    }

    static func get(
        _ port: UInt16, _ path: String, method: String = "GET", headers: [String: String] = [:]
    ) async throws -> (status: Int, body: String, headers: [AnyHashable: Any]) {
        var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)\(path)")))
        request.httpMethod = method
        for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
        let (data, response) = try await URLSession.shared.data(for: request)
        let http = try #require(response as? HTTPURLResponse)
        return (http.statusCode, String(decoding: data, as: UTF8.self), http.allHeaderFields)
    }

    @Test func servesPageStatusAndMetricsOnLoopback() async throws {
        let server = try DashboardServer(feed: Self.feed(), settings: .init(port: 0), perform: { _ in })
        let port = try await server.start()
        let page = try await Self.get(port, "/")
        #expect(page.status == 200 && page.body.contains("<canvas") == false && page.body.contains("Wattbench live"))
        #expect("\(page.headers["Content-Security-Policy"] ?? "")".contains("default-src 'none'"))
        let status = try await Self.get(port, "/status")
        #expect(status.body.contains("\"protocolStatus\":\"unverified\""))
        let metrics = try await Self.get(port, "/metrics")
        #expect(metrics.body.contains("wattbench_samples_missing_total{meter=\"VB0001\",board=\"pi\\\"01\"} 0.0"))
        #expect(try await Self.get(port, "/../etc/passwd").status == 404)
        #expect(try await Self.get(port, "/%2e%2e/%2e%2e/etc/passwd").status == 404)
        await server.stop()
    }

    @Test func commandsNeedTheTokenAndTheSameOrigin() async throws {
        let heard = Mutex<[DashboardCommand]>([])
        let server = try DashboardServer(
            feed: Self.feed(), settings: .init(port: 0, token: "0123456789abcdef"),
            perform: { command in heard.withLock { $0.append(command) } })
        let port = try await server.start()
        #expect(try await Self.get(port, "/command/abort", method: "POST").status == 403)
        let wrong = ["Authorization": "Bearer 0123456789abcdeX"]
        #expect(try await Self.get(port, "/command/abort", method: "POST", headers: wrong).status == 403)
        let right = ["Authorization": "Bearer 0123456789abcdef"]
        let foreign = right.merging(["Origin": "http://evil.example"]) { $1 }
        #expect(try await Self.get(port, "/command/abort", method: "POST", headers: foreign).status == 403)
        #expect(heard.withLock { $0 }.isEmpty)
        #expect(try await Self.get(port, "/command/format", method: "POST", headers: right).status == 404)
        #expect(try await Self.get(port, "/command/abort", method: "POST", headers: right).status == 204)
        #expect(heard.withLock { $0 } == [.abort])
        await server.stop()
    }

    @Test func beyondLoopbackATokenIsRequired() {
        #expect(throws: DashboardFailure.tokenNeeded("0.0.0.0")) {
            try DashboardServer(feed: Self.feed(), settings: .init(host: "0.0.0.0", port: 0), perform: { _ in })
        }
    }

    @Test func aPageThatOpensLateSeesTheLastMinute() async throws {
        let feed = Self.feed()
        feed.add(LiveColumnsTests.block(0..<1001))
        var iterator = feed.listen().makeAsyncIterator()
        guard case .status(let json)? = await iterator.next() else {
            Issue.record("no status")
            return
        }
        #expect(json.contains("\"received\":1001"))
        guard case .columns(let bytes)? = await iterator.next() else {
            Issue.record("no columns")
            return
        }
        #expect(bytes.count == 16 + 8 * 100)
    }

    @Test func tokensAreComparedWhole() {
        #expect(AccessGate.equal("abc", "abc"))
        #expect(!AccessGate.equal("abc", "abcd"))
        #expect(!AccessGate.equal("", "a"))
    }
}
