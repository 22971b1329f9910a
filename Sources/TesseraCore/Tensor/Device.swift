internal import CTessera

/// Where a tensor's elements live and operations on them run.
public enum Device: Hashable, Sendable, CustomStringConvertible {
  /// The processor and its memory.
  case cpu
  /// An NVIDIA GPU, counted from 0.
  case cuda(Int)

  /// The number of NVIDIA GPUs that LibTorch can use here.
  ///
  /// 0 unless the machine was set up with `./setup --cuda`.
  public static var cudaCount: Int { Int(tessera_cuda_device_count()) }

  /// The first GPU if there is one, otherwise the CPU.
  public static var best: Device { cudaCount > 0 ? .cuda(0) : .cpu }

  /// The name, such as `cuda:0`.
  public var description: String {
    switch self {
    case .cpu: "cpu"
    case .cuda(let index): "cuda:\(index)"
    }
  }

  var code: TesseraDevice {
    switch self {
    case .cpu: -1
    // -1 is the CPU; any other negative number is no device.
    case .cuda(let index): index < 0 ? .min : TesseraDevice(clamping: index)
    }
  }

  init(code: TesseraDevice) {
    self = code < 0 ? .cpu : .cuda(Int(code))
  }
}

/// The version of LibTorch that this program runs on.
public var libTorchVersion: String { String(cString: tessera_libtorch_version()) }

/// The vector instructions that LibTorch's kernels use on this processor, such as `AVX512`.
///
/// Results of other instructions may differ in their last bits.
public var processorCapability: String {
  var text = [CChar](repeating: 0, count: 64)
  guard tessera_cpu_capability(&text, text.count) == TESSERA_OK else { return "unknown" }
  return text.withUnsafeBufferPointer { buffer in
    buffer.baseAddress.map { String(cString: $0) } ?? "unknown"
  }
}
