import TesseraCore

/// The error that `body` throws, if it is one of tensors.
func failure(_ body: () throws -> Void) -> TensorError? {
  do {
    try body()
    return nil
  } catch {
    return error as? TensorError
  }
}

/// Whether `body` throws a tensor error of this kind.
func throwing(_ code: TensorError.Code, _ body: () throws -> Void) -> Bool {
  failure(body)?.code == code
}
