/// Sums of V·I, V and I over blocks of samples: the one pass over memory that an energy costs.
enum BlockSums {
    /// Lanes: Σ V·I (µV·µA), Σ V (µV), Σ I (µA), unused.
    typealias Sums = SIMD4<Double>

    /// Running sums before each block; one more entry than there are full blocks.
    static func prefix(_ volts: [Int32], _ amperes: [Int32], blockSize: Int) -> [Sums] {
        var result: [Sums] = []
        result.reserveCapacity(volts.count / blockSize + 1)
        var total = Sums()
        // Neumaier's compensation: 36 million samples must not lose the ninth digit.
        var lost = Sums()
        result.append(total)
        volts.withUnsafeBufferPointer { v in
            amperes.withUnsafeBufferPointer { i in
                var begin = 0
                while begin + blockSize <= v.count {
                    let block = sums(v, i, begin..<begin + blockSize)
                    let next = total + block
                    lost += ((total - next) + block)
                    total = next
                    begin += blockSize
                    result.append(total + lost)
                }
            }
        }
        return result
    }

    static func sums(_ volts: [Int32], _ amperes: [Int32], _ range: Range<Int>) -> Sums {
        volts.withUnsafeBufferPointer { v in amperes.withUnsafeBufferPointer { i in sums(v, i, range) } }
    }

    /// Eight lanes; each product is below 2^53 and so exact, and so is the sum of 32 of them.
    static func sums(_ v: UnsafeBufferPointer<Int32>, _ i: UnsafeBufferPointer<Int32>, _ range: Range<Int>) -> Sums {
        var products = SIMD8<Double>()
        var volts = SIMD8<Int64>()
        var amperes = SIMD8<Int64>()
        var index = range.lowerBound
        guard let vBase = v.baseAddress, let iBase = i.baseAddress else { return Sums() }
        while index + 8 <= range.upperBound {
            let a = UnsafeRawPointer(vBase + index).loadUnaligned(as: SIMD8<Int32>.self)
            let b = UnsafeRawPointer(iBase + index).loadUnaligned(as: SIMD8<Int32>.self)
            products += SIMD8<Double>(a) * SIMD8<Double>(b)
            volts &+= SIMD8<Int64>(truncatingIfNeeded: a)
            amperes &+= SIMD8<Int64>(truncatingIfNeeded: b)
            index += 8
        }
        var sum = Sums(products.sum(), Double(volts.wrappedSum()), Double(amperes.wrappedSum()), 0)
        while index < range.upperBound {
            let a = Double(vBase[index])
            let b = Double(iBase[index])
            sum += Sums(a * b, a, b, 0)
            index += 1
        }
        return sum
    }
}
