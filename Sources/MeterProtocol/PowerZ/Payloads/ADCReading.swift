/// One ADC payload (attribute 1): the meter's instant and averaged values. 44 bytes, or 40 on older firmware.
package struct ADCReading: Sendable, Equatable {
    /// Raw temperature that means "not available now": all the time while a 1 kHz graph runs.
    package static let noTemperature = Int16(bitPattern: 0x8000)
    package static let shortLength = 40
    package static let fullLength = 44

    /// Newest readings, µV and µA (signed).
    package var vbusMicrovolts: Int32
    package var ibusMicroamperes: Int32
    /// Mean over the last complete second, µV and µA.
    package var vbusAverageMicrovolts: Int32
    package var ibusAverageMicroamperes: Int32
    /// The same before the meter applies its own calibration.
    package var vbusUncalibratedAverage: Int32
    package var ibusUncalibratedAverage: Int32
    /// 1/128 °C; `noTemperature` if not available.
    package var temperatureRaw: Int16
    /// 0.1 mV.
    package var cc1: UInt16
    package var cc2: UInt16
    package var dPlus: UInt16
    package var dMinus: UInt16
    /// Internal supply of the meter, 0.1 mV (about 3.24 V).
    package var vdd: UInt16
    /// Documented as rate index, but 0 in every capture even at 1 kHz: not to be used.
    package var rateByte: UInt8
    /// 0x80 in captures; meaning unknown.
    package var flags: UInt8
    /// mV.
    package var cc2AverageMillivolts: UInt16
    /// mV; nil in the 40-byte form.
    package var dPlusAverageMillivolts: UInt16?
    package var dMinusAverageMillivolts: UInt16?

    package init(
        vbusMicrovolts: Int32, ibusMicroamperes: Int32, vbusAverageMicrovolts: Int32, ibusAverageMicroamperes: Int32,
        vbusUncalibratedAverage: Int32, ibusUncalibratedAverage: Int32,
        temperatureRaw: Int16 = ADCReading.noTemperature, cc1: UInt16 = 0, cc2: UInt16 = 0, dPlus: UInt16 = 0,
        dMinus: UInt16 = 0, vdd: UInt16 = 32380, rateByte: UInt8 = 0, flags: UInt8 = 0x80,
        cc2AverageMillivolts: UInt16 = 0, dPlusAverageMillivolts: UInt16? = 0, dMinusAverageMillivolts: UInt16? = 0
    ) {
        self.vbusMicrovolts = vbusMicrovolts
        self.ibusMicroamperes = ibusMicroamperes
        self.vbusAverageMicrovolts = vbusAverageMicrovolts
        self.ibusAverageMicroamperes = ibusAverageMicroamperes
        self.vbusUncalibratedAverage = vbusUncalibratedAverage
        self.ibusUncalibratedAverage = ibusUncalibratedAverage
        self.temperatureRaw = temperatureRaw
        self.cc1 = cc1
        self.cc2 = cc2
        self.dPlus = dPlus
        self.dMinus = dMinus
        self.vdd = vdd
        self.rateByte = rateByte
        self.flags = flags
        self.cc2AverageMillivolts = cc2AverageMillivolts
        self.dPlusAverageMillivolts = dPlusAverageMillivolts
        self.dMinusAverageMillivolts = dMinusAverageMillivolts
    }

    /// °C; nil if the meter has no temperature now.
    package var temperatureCelsius: Double? {
        temperatureRaw == Self.noTemperature ? nil : Double(temperatureRaw) / 128
    }

    /// Reads the 40-byte part and, where present, the averages behind it. Bytes beyond 44 are left alone.
    ///
    /// - Throws: `tooShort` below 40 bytes.
    package init(decoding p: some Collection<UInt8>) throws(ProtocolFailure) {
        let b = Array(p.prefix(Self.fullLength))
        guard b.count >= Self.shortLength else {
            throw .tooShort(part: "ADC payload", needed: Self.shortLength, found: b.count)
        }
        let isFull = b.count >= Self.fullLength
        self.init(
            vbusMicrovolts: b.little(at: 0), ibusMicroamperes: b.little(at: 4), vbusAverageMicrovolts: b.little(at: 8),
            ibusAverageMicroamperes: b.little(at: 12), vbusUncalibratedAverage: b.little(at: 16),
            ibusUncalibratedAverage: b.little(at: 20), temperatureRaw: b.little(at: 24), cc1: b.little(at: 26),
            cc2: b.little(at: 28), dPlus: b.little(at: 30), dMinus: b.little(at: 32), vdd: b.little(at: 34),
            rateByte: b[36], flags: b[37], cc2AverageMillivolts: b.little(at: 38),
            dPlusAverageMillivolts: isFull ? b.little(at: 40) : nil,
            dMinusAverageMillivolts: isFull ? b.little(at: 42) : nil)
    }

    /// 44 bytes, or 40 where the D+ and D− averages are nil.
    package var bytes: [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(Self.fullLength)
        for value in [
            vbusMicrovolts, ibusMicroamperes, vbusAverageMicrovolts, ibusAverageMicroamperes, vbusUncalibratedAverage,
            ibusUncalibratedAverage,
        ] {
            out.append(little: value)
        }
        out.append(little: temperatureRaw)
        for value in [cc1, cc2, dPlus, dMinus, vdd] { out.append(little: value) }
        out += [rateByte, flags]
        out.append(little: cc2AverageMillivolts)
        if let plus = dPlusAverageMillivolts, let minus = dMinusAverageMillivolts {
            out.append(little: plus)
            out.append(little: minus)
        }
        return out
    }
}
