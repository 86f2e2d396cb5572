import Foundation
import Metrology

enum Fixtures {
    static func url(_ path: String) -> URL {
        Bundle.module.resourceURL?.appending(path: "Fixtures/\(path)") ?? URL(filePath: "/missing")
    }

    static func table(_ path: String, required: [String] = []) throws -> DelimitedTable {
        try DelimitedTable(file: path, bytes: Array(try Data(contentsOf: url(path))), required: required)
    }

    static func json(_ path: String) throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: try Data(contentsOf: url(path)))
        return object as? [String: Any] ?? [:]
    }
}
