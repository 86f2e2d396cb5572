/// Recursive descent over the model text.
struct ModelExpressionParser {
    let text: String
    let predictors: [String]
    private var characters: [Character]
    private var position = 0
    private var depth = 0
    private(set) var highestParameter = 0

    init(text: String, predictors: [String]) {
        self.text = text
        self.predictors = predictors
        characters = Array(text)
        // "y = …" and "log[y] = …": the response is named elsewhere.
        if let equals = characters.firstIndex(where: { $0 == "=" || $0 == "~" }) { position = equals + 1 }
    }

    mutating func parse() throws(MetrologyError) -> ModelExpression.Node {
        let node = try sum()
        skipBlank()
        guard position == characters.count else { throw fault("unexpected \"\(characters[position])\"") }
        return node
    }

    private mutating func sum() throws(MetrologyError) -> ModelExpression.Node {
        depth += 1
        defer { depth -= 1 }
        guard depth < 100 else { throw fault("nested more than 100 deep") }
        var left = try product()
        while true {
            skipBlank()
            if take("+") {
                // NIST model texts end with the error term "+ e".
                let before = position
                skipBlank()
                if position < characters.count, characters[position] == "e" || characters[position] == "ε",
                    characters[(position + 1)...].allSatisfy(\.isWhitespace)
                {
                    position = characters.count
                    return left
                }
                position = before
                left = .sum(left, try product())
            } else if take("-") || take("−") {
                left = .difference(left, try product())
            } else {
                return left
            }
        }
    }

    private mutating func product() throws(MetrologyError) -> ModelExpression.Node {
        var left = try signed()
        while true {
            skipBlank()
            if position + 1 < characters.count, characters[position] == "*", characters[position + 1] == "*" {
                throw fault("a power needs a base")
            }
            if take("*") || take("·") {
                left = .product(left, try signed())
            } else if take("/") {
                left = .quotient(left, try signed())
            } else {
                return left
            }
        }
    }

    private mutating func signed() throws(MetrologyError) -> ModelExpression.Node {
        skipBlank()
        depth += 1
        defer { depth -= 1 }
        guard depth < 200 else { throw fault("nested too deep") }
        if take("-") || take("−") { return .negative(try signed()) }
        if take("+") { return try signed() }
        return try power()
    }

    private mutating func power() throws(MetrologyError) -> ModelExpression.Node {
        let base = try atom()
        skipBlank()
        let isDoubleStar =
            position + 1 < characters.count && characters[position] == "*" && characters[position + 1] == "*"
        if isDoubleStar {
            position += 2
        } else if !take("^") {
            return base
        }
        return .power(base, try signed())
    }

    private mutating func atom() throws(MetrologyError) -> ModelExpression.Node {
        skipBlank()
        guard position < characters.count else { throw fault("the model ends too early") }
        let start = characters[position]
        if let close = ["(": ")", "[": "]", "{": "}"][String(start)] {
            position += 1
            let inner = try sum()
            skipBlank()
            guard take(Character(close)) else { throw fault("expected \"\(close)\"") }
            return inner
        }
        if start.isNumber || start == "." { return try number() }
        if start.isLetter || start == "_" { return try name() }
        throw fault("unexpected \"\(start)\"")
    }

    private mutating func number() throws(MetrologyError) -> ModelExpression.Node {
        let start = position
        func isDigit(_ at: Int) -> Bool { at < characters.count && characters[at].isASCII && characters[at].isNumber }
        while isDigit(position) || (position < characters.count && characters[position] == ".") { position += 1 }
        if position < characters.count, "eEdD".contains(characters[position]) {
            var look = position + 1
            if look < characters.count, characters[look] == "+" || characters[look] == "-" { look += 1 }
            if isDigit(look) {
                while isDigit(look) { look += 1 }
                position = look
            }
        }
        let digits = String(characters[start..<position].map { $0 == "d" || $0 == "D" ? "e" : $0 })
        guard let value = Double(digits) else {
            position = start
            throw fault("\"\(digits)\" is not a number")
        }
        return .number(value)
    }

    private mutating func name() throws(MetrologyError) -> ModelExpression.Node {
        let start = position
        while position < characters.count,
            characters[position].isLetter || characters[position].isNumber || characters[position] == "_"
        {
            position += 1
        }
        let word = String(characters[start..<position])
        if let index = predictors.firstIndex(of: word) { return .predictor(index) }
        let lower = word.lowercased()
        if lower == "pi" || lower == "π" { return .number(.pi) }
        if let function = ModelExpression.Function(rawValue: lower) {
            skipBlank()
            guard position < characters.count, "([{".contains(characters[position]) else {
                throw fault("\(word) needs its argument in parentheses")
            }
            return .function(function, try atom())
        }
        if lower.hasPrefix("b"), let index = Int(lower.dropFirst()), (1...100).contains(index) {
            highestParameter = max(highestParameter, index)
            return .parameter(index - 1)
        }
        position = start
        let known = predictors.joined(separator: ", ")
        throw fault("\"\(word)\" is neither a parameter b1, b2, …, nor a predictor (\(known)), nor a known function")
    }

    private mutating func take(_ character: Character) -> Bool {
        guard position < characters.count, characters[position] == character else { return false }
        position += 1
        return true
    }

    private mutating func skipBlank() {
        while position < characters.count, characters[position].isWhitespace { position += 1 }
    }

    private func fault(_ reason: String) -> MetrologyError {
        .badModel(text: text, position: min(position, max(characters.count - 1, 0)) + 1, reason: reason)
    }
}
