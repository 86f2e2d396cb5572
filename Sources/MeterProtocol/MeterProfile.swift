/// What the harness assumes about one meter model, and on what evidence. Profiles are values: a new model is a new value.
package struct MeterProfile: Sendable, Equatable {
    /// How far the protocol of a model has been checked (firmware-notes/meters.md).
    package enum ProtocolStatus: String, Sendable, CaseIterable {
        /// Every frame used was compared with captures of a real meter of this model.
        case verified
        /// Others have reported that the model works this way; no capture was seen.
        case byReport = "by-report"
        /// Nothing is published: the profile is a copy of another model's.
        case unverified
    }

    /// Whether streaming needs STREAMING_AUTH first.
    package enum Auth: Sendable, Equatable {
        case required
        /// START_GRAPH is tried without; only a refusal leads to the memory read and the auth.
        case onlyIfRefused
    }

    /// One entry of the rate table.
    package struct Rate: Sendable, Equatable {
        /// Argument of START_GRAPH.
        package var index: UInt16
        package var samplesPerSecond: Int
        /// Distance of two samples on the meter's own clock, ms.
        package var stepMilliseconds: Int64
    }

    /// Name of the profile. Reports name a meter by its product string (`reportedModel`), never by this.
    package var name: String
    package var status: ProtocolStatus
    package var vendorID: UInt16
    /// Empty: any product id of the vendor.
    package var productIDs: [UInt16]
    /// Lengths of ADC payloads that are accepted, bytes.
    package var adcPayloadLengths: [Int]
    package var ringDepth: Int
    package var rates: [Rate]
    package var auth: Auth
    /// The meter ends the session this long after the last command, ns.
    package var idleTimeoutNanoseconds: Int64
    /// The identity texts at 0x420 and 0x4420 may be read.
    package var readsIdentity: Bool

    package static let powerZVendorID: UInt16 = 0x5FC9

    private static let powerZRates = [
        Rate(index: 0, samplesPerSecond: 2, stepMilliseconds: 500),
        Rate(index: 1, samplesPerSecond: 10, stepMilliseconds: 100),
        Rate(index: 2, samplesPerSecond: 50, stepMilliseconds: 20),
        Rate(index: 3, samplesPerSecond: 1000, stepMilliseconds: 1),
    ]

    package static let km003c = MeterProfile(
        name: "KM003C", status: .verified, vendorID: powerZVendorID, productIDs: [0x0063],
        adcPayloadLengths: [ADCReading.shortLength, ADCReading.fullLength], ringDepth: QueueSample.ringDepth,
        rates: powerZRates, auth: .required, idleTimeoutNanoseconds: 5_000_000_000, readsIdentity: true)

    package static let km002c: MeterProfile = {
        var profile = km003c
        profile.name = "KM002C"
        profile.status = .byReport
        profile.productIDs = [0x0061]
        return profile
    }()

    /// Nothing about a KM001C is published: not its product id, not one byte. This copies the KM003C.
    package static let km001c: MeterProfile = {
        var profile = km003c
        profile.name = "KM001C"
        profile.status = .unverified
        profile.productIDs = []
        profile.auth = .onlyIfRefused
        profile.readsIdentity = false
        return profile
    }()

    /// In the order in which they are tried; the last takes any product id of the vendor.
    package static let all: [MeterProfile] = [km003c, km002c, km001c]

    /// The profile for a device, or nil if it is not of this family (see `KingMeterIdentity` for the older one).
    ///
    /// The product string decides where it names a model; otherwise the product id; what neither knows is unverified.
    package static func choose(vendorID: UInt16, productID: UInt16, product: String) -> MeterProfile? {
        guard vendorID == powerZVendorID else { return nil }
        let words = product.uppercased().split { !$0.isLetter && !$0.isNumber }
        if let named = all.first(where: { words.contains(Substring($0.name)) }) { return named }
        // A product string that names something else outweighs the id: the model is one that we do not know.
        guard words.isEmpty || words == ["POWER", "Z"] else { return km001c }
        return all.first { $0.productIDs.contains(productID) } ?? km001c
    }

    package static func choose(for meter: FoundMeter) -> MeterProfile? {
        choose(vendorID: meter.vendorID, productID: meter.productID, product: meter.product)
    }

    /// The model as the meter's own product string names it, such as `KM003C` for `POWER-Z KM003C`; the profile's name
    /// with a question mark where the string is empty.
    package func reportedModel(product: String) -> String {
        let prefix = "POWER-Z "
        let name = product.hasPrefix(prefix) ? String(product.dropFirst(prefix.count)) : product
        if name.isEmpty { return status == .unverified ? "unknown" : "\(self.name)?" }
        return name
    }

    package func rate(index: UInt16) -> Rate? { rates.first { $0.index == index } }

    /// The sentence to show wherever data of such a meter go; nil for a verified model.
    package var notice: String? {
        switch status {
        case .verified: nil
        case .byReport:
            "\(name): the protocol is known from reports of others only; no capture of this model was available to check it."
        case .unverified:
            """
            protocol unverified for this model: it is treated as a KM003C because nothing about it is published. Readings \
            are not to be relied on until `wattbench meters probe` output of such a meter has been compared.
            """
        }
    }
}
