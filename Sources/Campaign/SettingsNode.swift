import Yams

/// A mapping of a YAML file that is read key by key: every key must be known, every value of the right kind.
///
/// Reading a key marks it as known; `finish()` then refuses what is left, with the nearest known word.
package struct SettingsNode {
    package let file: String
    package let path: String
    private let mapping: Node.Mapping
    private let line: Int
    private var known: Set<String> = []

    /// Parses a whole file. - Throws: `SettingsError` with the line of the first mistake.
    package init(text: String, file: String) throws(SettingsError) {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw SettingsError(
                file: file, line: Self.line(of: error), path: "", problem: "is not valid YAML: \(error)")
        } catch {
            throw SettingsError(file: file, line: 0, path: "", problem: "is not valid YAML: \(error)")
        }
        guard let root, case .mapping(let mapping) = root else {
            throw SettingsError(file: file, line: 1, path: "", problem: "must be a mapping of keys to values")
        }
        self.init(mapping: mapping, line: root.mark?.line ?? 1, path: "", file: file)
    }

    private init(mapping: Node.Mapping, line: Int, path: String, file: String) {
        self.mapping = mapping
        self.line = line
        self.path = path
        self.file = file
    }

    private static func line(of error: YamlError) -> Int {
        switch error {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _): mark.line
        case .duplicatedKeysInMapping(_, let context): context.mark.line
        default: 0
        }
    }

    /// An error at one key of this mapping.
    package func failure(_ key: String, _ problem: String) -> SettingsError {
        SettingsError(file: file, line: node(key)?.mark?.line ?? line, path: join(key), problem: problem)
    }

    /// The error of a required key that is not there; a key that looks like it is named with its line.
    private func missing(_ key: String) -> SettingsError {
        let near = mapping.compactMap { entry -> (String, Int)? in
            guard let name = entry.key.string, Self.editDistance(name, key) <= 2 else { return nil }
            return (name, entry.key.mark?.line ?? line)
        }.first
        guard let near else { return failure(key, "is missing") }
        return SettingsError(
            file: file, line: near.1, path: join(near.0), problem: "is not a known key; did you mean '\(key)'?")
    }

    /// Whether an optional key is there; asking makes it a known one.
    package mutating func has(_ key: String) -> Bool {
        known.insert(key)
        return node(key) != nil
    }

    private func join(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
    private func node(_ key: String) -> Node? { mapping.first { $0.key.string == key }?.value }

    private mutating func take(_ key: String) -> Node? {
        known.insert(key)
        guard let found = node(key), found.tag != .init(.null) else { return nil }
        return found
    }

    // MARK: scalars

    package mutating func string(_ key: String) throws(SettingsError) -> String {
        guard let value = try optionalString(key) else { throw missing(key) }
        return value
    }

    package mutating func optionalString(_ key: String) throws(SettingsError) -> String? {
        guard let node = take(key) else { return nil }
        guard case .scalar(let scalar) = node else { throw failure(key, "must be a text") }
        return scalar.string
    }

    package mutating func choice<C: RawRepresentable & CaseIterable>(
        _ key: String, default fallback: C? = nil
    ) throws(SettingsError) -> C where C.RawValue == String {
        guard let text = try optionalString(key) else {
            if let fallback { return fallback }
            throw missing(key)
        }
        if let value = C(rawValue: text) { return value }
        let words = C.allCases.map(\.rawValue)
        throw failure(key, "'\(text)' is not one of \(words.joined(separator: ", "))\(Self.hint(text, words))")
    }

    package mutating func double(
        _ key: String, in range: ClosedRange<Double>, default fallback: Double? = nil
    ) throws(SettingsError) -> Double {
        guard let node = take(key) else {
            if let fallback { return fallback }
            throw missing(key)
        }
        guard let value = node.float ?? node.int.map(Double.init), value.isFinite else {
            throw failure(key, "must be a number")
        }
        guard range.contains(value) else {
            throw failure(key, "is \(value), must lie between \(range.lowerBound) and \(range.upperBound)")
        }
        return value
    }

    package mutating func int(
        _ key: String, in range: ClosedRange<Int>, default fallback: Int? = nil
    ) throws(SettingsError) -> Int {
        guard let node = take(key) else {
            if let fallback { return fallback }
            throw missing(key)
        }
        guard let value = node.int else { throw failure(key, "must be a whole number") }
        guard range.contains(value) else {
            throw failure(key, "is \(value), must lie between \(range.lowerBound) and \(range.upperBound)")
        }
        return value
    }

    package mutating func bool(_ key: String, default fallback: Bool) throws(SettingsError) -> Bool {
        guard let node = take(key) else { return fallback }
        guard let value = node.bool else { throw failure(key, "must be true or false") }
        return value
    }

    // MARK: structure

    package mutating func child(_ key: String) throws(SettingsError) -> SettingsNode? {
        guard let found = take(key) else { return nil }
        guard case .mapping(let inner) = found else { throw failure(key, "must be a mapping of keys to values") }
        return SettingsNode(mapping: inner, line: found.mark?.line ?? line, path: join(key), file: file)
    }

    /// The mappings of a list, in order; empty if the key is absent.
    package mutating func children(_ key: String) throws(SettingsError) -> [SettingsNode] {
        guard let found = take(key) else { return [] }
        guard case .sequence(let list) = found else { throw failure(key, "must be a list") }
        var out: [SettingsNode] = []
        for (index, item) in list.enumerated() {
            let itemPath = "\(join(key))[\(index)]"
            guard case .mapping(let inner) = item else {
                throw SettingsError(
                    file: file, line: item.mark?.line ?? line, path: itemPath, problem: "must be a mapping")
            }
            out.append(SettingsNode(mapping: inner, line: item.mark?.line ?? line, path: itemPath, file: file))
        }
        return out
    }

    /// A list of texts; nil if the key is absent.
    package mutating func strings(_ key: String) throws(SettingsError) -> [String]? {
        guard let found = take(key) else { return nil }
        guard case .sequence(let list) = found else { throw failure(key, "must be a list") }
        var out: [String] = []
        for item in list {
            guard case .scalar(let scalar) = item else { throw failure(key, "must be a list of texts") }
            out.append(scalar.string)
        }
        return out
    }

    /// Refuses keys that nobody read.
    package func finish() throws(SettingsError) {
        for (key, _) in mapping {
            let name = key.string ?? "?"
            guard known.contains(name) else {
                throw SettingsError(
                    file: file, line: key.mark?.line ?? line, path: join(name),
                    problem:
                        "is not a known key\(Self.hint(name, Array(known))). Known here: \(known.sorted().joined(separator: ", "))"
                )
            }
        }
    }

    private static func hint(_ word: String, _ words: [String]) -> String {
        let near = words.map { ($0, editDistance($0, word)) }.min { $0.1 < $1.1 }
        guard let near, near.1 <= max(2, word.count / 3) else { return "" }
        return "; did you mean '\(near.0)'?"
    }

    /// Levenshtein distance: how many letters to insert, drop or change.
    static func editDistance(_ a: String, _ b: String) -> Int {
        let b = Array(b)
        var row = Array(0...b.count)
        for (i, letter) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let above = row[j + 1]
                row[j + 1] = letter == b[j] ? diagonal : 1 + min(diagonal, above, row[j])
                diagonal = above
            }
        }
        return row[b.count]
    }
}
