import MeterProtocol

/// libFuzzer entry for every decoder of outside bytes. Build and run:
/// `FUZZ=1 ROOMS=MeterProtocol swift build --sanitize=fuzzer --product MeterProtocolFuzz --scratch-path .build-fuzz`, then
/// `SWIFT_BACKTRACE=enable=no .build-fuzz/debug/MeterProtocolFuzz -max_total_time=60 corpus`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzMeterProtocol(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
    // -1 keeps an input out of the corpus: what no decoder takes teaches nothing.
    return Fuzzing.decodeEverything(bytes) >= 0 ? 0 : -1
}
