package sluice;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.protobuf.ByteString;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.tensorflow.proto.Example;
import org.tensorflow.proto.Feature;
import org.tensorflow.types.family.TType;

/** Raw rows from JSON, as the two signatures take them. */
final class Rows {
  private final Map<String, String> kinds = new LinkedHashMap<>();
  private final List<JsonObject> rows = new ArrayList<>();

  Rows(JsonObject asked) {
    asked.getAsJsonObject("features").entrySet().forEach(f -> kinds.put(f.getKey(), f.getValue().getAsString()));
    JsonArray given = asked.getAsJsonArray("rows");
    given.forEach(row -> rows.add(row.getAsJsonObject()));
  }

  /** A tensor for each feature. What a row lacks is NaN, -1 or nothing. */
  Map<String, TType> byFeature() {
    Map<String, TType> tensors = new LinkedHashMap<>();
    kinds.forEach((name, kind) -> tensors.put(name, tensor(name, kind)));
    return tensors;
  }

  /** Serialized tf.Examples. What a row lacks is left out. */
  Map<String, TType> asExamples() {
    List<byte[]> examples = rows.stream().map(row -> example(row).toByteArray()).toList();
    return Map.of("examples", Values.strings(examples));
  }

  private TType tensor(String name, String kind) {
    List<JsonElement> column = rows.stream().map(row -> row.get(name)).toList();
    return switch (kind) {
      case "float" -> Values.floats(column.stream().map(v -> lacks(v) ? Float.NaN : v.getAsFloat()).toList());
      case "int" -> Values.longs(column.stream().map(v -> lacks(v) ? -1L : v.getAsLong()).toList());
      default -> Values.strings(column.stream().map(v -> lacks(v) ? new byte[0] : bytes(v)).toList());
    };
  }

  private Example example(JsonObject row) {
    Example.Builder example = Example.newBuilder();
    kinds.forEach(
        (name, kind) -> {
          JsonElement value = row.get(name);
          if (!lacks(value)) {
            example.getFeaturesBuilder().putFeature(name, feature(kind, value));
          }
        });
    return example.build();
  }

  private static Feature feature(String kind, JsonElement value) {
    Feature.Builder feature = Feature.newBuilder();
    switch (kind) {
      case "float" -> feature.getFloatListBuilder().addValue(value.getAsFloat());
      case "int" -> feature.getInt64ListBuilder().addValue(value.getAsLong());
      default -> feature.getBytesListBuilder().addValue(ByteString.copyFrom(bytes(value)));
    }
    return feature.build();
  }

  private static boolean lacks(JsonElement value) {
    return value == null || value.isJsonNull();
  }

  /** Text, or bytes as TensorFlow Serving's requests carry them: {"b64": ...}. */
  private static byte[] bytes(JsonElement value) {
    return value.isJsonObject()
        ? Base64.getDecoder().decode(value.getAsJsonObject().get("b64").getAsString())
        : value.getAsString().getBytes(StandardCharsets.UTF_8);
  }
}
