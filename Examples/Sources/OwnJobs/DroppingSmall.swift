import Tessera
import TesseraConfiguration
import TesseraFederation

/// Leaves nothing of what is almost zero.
struct DroppingSmall: Filter {
  let limit: Double

  init(_ arguments: Mapping) throws {
    limit = try arguments.optional("limit", .number(in: 0...), default: 1e-3)
  }

  func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    try exchange.mapModels { model in
      var model = model
      model.tensors = try model.tensors.mapTensors { _, tensor in
        try tensor * Tensor(limit).isLess(than: abs(tensor)).to(tensor.dtype)
      }
      return model
    }
  }
}
